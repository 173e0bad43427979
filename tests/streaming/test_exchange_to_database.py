"""The whole live path behind the offline exchange: what its REST lists is what MongoDB holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from cryptobot.market.instant import from_ms
from cryptobot.settings import Settings
from cryptobot.storage.collections import STREAMING_DATA
from tests.exchange_server import running_exchange
from tests.servers import wait_until
from tests.streaming.conftest import starter
from tests.streaming.test_live_path import Documents

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def stored(database: Documents, symbol: str) -> dict[int, dict[str, Any]]:
    found = database[STREAMING_DATA].find({"kind": "trade", "symbol": symbol})
    return {document["trade_id"]: document for document in found}


class TestExchangeToDatabase:
    def test_every_trade_of_a_window_is_stored_as_the_exchange_lists_it(
        self, app_settings: Settings, database: Documents, kafka_bootstrap: str, tmp_path: Path
    ) -> None:
        with running_exchange() as url, httpx.Client(base_url=url) as rest:
            settings = app_settings.model_copy(
                update={
                    "kafka_bootstrap": kafka_bootstrap,
                    "stream_url": url.replace("http", "ws"),
                    "rest_url": url,
                    "symbols": SYMBOLS,
                    "intervals": ("1s", "1m"),
                    "signal_interval": "1m",
                }
            )
            start = starter(settings, tmp_path)
            with start("producer"), start("sink"):
                wait_until(
                    lambda: min(len(stored(database, symbol)) for symbol in SYMBOLS) >= 200,
                    limit=60,
                    what="200 trades of each symbol",
                )
            for symbol in SYMBOLS:
                kept = stored(database, symbol)
                assert sorted(kept) == list(range(min(kept), max(kept) + 1))
                answer = rest.get("/api/v3/trades", params={"symbol": symbol, "limit": 1000}).json()
                listed = {trade["id"]: trade for trade in answer if min(kept) <= trade["id"] <= max(kept)}
                assert len(listed) > 100
                for trade_id, trade in listed.items():
                    document = kept[trade_id]
                    assert document["price"] == float(trade["price"])
                    assert document["quantity"] == float(trade["qty"])
                    assert document["buyer_is_maker"] == trade["isBuyerMaker"]
                    assert document["event_time"] == from_ms(trade["time"])
