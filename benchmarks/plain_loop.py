"""The history job as a plain loop: a page by httpx, a bulk of replacements by pymongo, one process.

``python -m benchmarks.plain_loop REST_URL MONGO_URI DATABASE SPANS`` prints the seconds that it took
once it was up. It is idempotent as the product is, and checks and records nothing else.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from pymongo import MongoClient, ReplaceOne
from pymongo.collection import Collection

from cryptobot.market.span import Span, load_spans

_PAGE = 1_000


def main() -> None:
    """Bring the spans of the command line into ``historical_data``."""
    rest_url, mongo_uri, database, spans = sys.argv[1:]
    with httpx.Client(base_url=rest_url) as client, MongoClient[dict[str, Any]](mongo_uri) as mongo:
        client.get("/api/v3/ping").raise_for_status()
        collection = mongo[database]["historical_data"]
        collection.estimated_document_count()
        began = time.monotonic()
        for span in load_spans(spans):
            _ingest(client, collection, span)
        print(time.monotonic() - began)


def _ingest(client: httpx.Client, collection: Collection[dict[str, Any]], span: Span) -> None:
    start_ms, symbol, interval = span.start_ms, span.symbol, span.interval.value
    while start_ms < span.end_ms:
        answer = client.get(
            "/api/v3/klines",
            params={
                "symbol": symbol, "interval": interval,
                "startTime": start_ms, "endTime": span.end_ms - 1, "limit": _PAGE,
            },
        )  # fmt: skip
        rows = answer.raise_for_status().json()
        if not rows:
            break
        documents = [_document(symbol, interval, row) for row in rows]
        collection.bulk_write(
            [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents],
            ordered=False,
        )
        start_ms = rows[-1][0] + 1


def _document(symbol: str, interval: str, row: list[Any]) -> dict[str, Any]:
    return {
        "_id": f"{symbol}|{interval}|{row[0]}",
        "symbol": symbol,
        "interval": interval,
        "open_time": datetime.fromtimestamp(row[0] / 1_000, UTC),
        "close_time": datetime.fromtimestamp(row[6] / 1_000, UTC),
        "open": float(row[1]),
        "high": float(row[2]),
        "low": float(row[3]),
        "close": float(row[4]),
        "volume": float(row[5]),
        "quote_volume": float(row[7]),
        "trades": row[8],
        "taker_buy_base": float(row[9]),
        "taker_buy_quote": float(row[10]),
        "source": "rest",
        "ingested_at": datetime.now(UTC),
    }


if __name__ == "__main__":
    main()
