"""The whole live path behind the offline exchange: what its REST lists is what MongoDB holds."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx

from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms
from cryptobot.settings import Settings
from cryptobot.storage.collections import GAPS, STREAM_POSITIONS, STREAMING_DATA
from cryptobot.storage.gaps import find_gaps
from tests.exchange_server import running_exchange
from tests.servers import wait_until
from tests.streaming.conftest import starter
from tests.streaming.test_live_path import Documents

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def stored(database: Documents, symbol: str) -> dict[int, dict[str, Any]]:
    found = database[STREAMING_DATA].find({"kind": "trade", "symbol": symbol})
    return {document["trade_id"]: document for document in found}


def missing(database: Documents, symbol: str, last: int) -> set[int]:
    """Return the ids from the first stored one to ``last`` that are not stored."""
    kept = stored(database, symbol)
    return set(range(min(kept), last + 1)) - kept.keys()


def skipped(database: Documents, symbol: str, position: dict[str, Any]) -> list[Span]:
    """Return the holes in the stored candles of a second, from the first one to the position."""
    query = {"kind": "kline", "symbol": symbol, "interval": "1s"}
    found = database[STREAMING_DATA].find(query).sort("open_time")
    opened = [document["open_time"] for document in found]
    span = Span(symbol, Interval.SECOND_1, opened[0], from_ms(position["position"] + 1_000))
    return list(find_gaps(span, opened))


def settings_of(
    app_settings: Settings, kafka_bootstrap: str, url: str, symbols: tuple[str, ...] = SYMBOLS
) -> Settings:
    return app_settings.model_copy(
        update={
            "kafka_bootstrap": kafka_bootstrap,
            "stream_url": url.replace("http", "ws"),
            "rest_url": url,
            "symbols": symbols,
            "intervals": ("1s", "1m"),
            "signal_interval": "1m",
        }
    )


class TestExchangeToDatabase:
    def test_every_trade_of_a_window_is_stored_as_the_exchange_lists_it(
        self, app_settings: Settings, database: Documents, kafka_bootstrap: str, tmp_path: Path
    ) -> None:
        with running_exchange() as url, httpx.Client(base_url=url) as rest:
            settings = settings_of(app_settings, kafka_bootstrap, url)
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

    def test_nothing_is_missing_after_the_producer_was_killed(
        self, app_settings: Settings, database: Documents, kafka_bootstrap: str, symbol: str, tmp_path: Path
    ) -> None:
        symbols = (symbol, symbol.replace("T", "E", 1))  # of which nothing is left in the topics
        with running_exchange(EXCHANGE_SYMBOLS=",".join(symbols)) as url, httpx.Client(base_url=url) as rest:

            def newest(symbol: str) -> int:
                answer = rest.get("/api/v3/trades", params={"symbol": symbol, "limit": 1}).json()
                return int(answer[0]["id"])

            start = starter(settings_of(app_settings, kafka_bootstrap, url, symbols), tmp_path)
            with start("sink"):
                with start("producer") as producer:
                    wait_until(
                        lambda: database[STREAM_POSITIONS].count_documents({}) == 3 * len(symbols),
                        limit=60,
                        what="a position of each stream",
                    )
                    producer.send_signal(signal.SIGKILL)
                    producer.wait(5)
                killed = {pair: newest(pair) for pair in symbols}
                wait_until(
                    lambda: all(newest(pair) > killed[pair] + 200 for pair in symbols),
                    limit=60,
                    what="trades that nobody follows",
                )
                with start("producer"):
                    back = {pair: newest(pair) for pair in symbols}
                    wait_until(
                        lambda: all(
                            database[STREAM_POSITIONS].find_one(
                                {"_id": f"trade|{pair}", "position": {"$gt": back[pair]}}
                            )
                            for pair in symbols
                        ),
                        limit=60,
                        what="the positions behind the hole",
                    )
                    reached = {found["_id"]: found for found in database[STREAM_POSITIONS].find()}
                    for pair in symbols:
                        last = reached[f"trade|{pair}"]["position"]
                        wait_until(
                            lambda pair=pair, last=last: not missing(database, pair, last),
                            limit=20,
                            what=f"every trade of {pair} up to the position",
                        )
                        wait_until(
                            lambda pair=pair: not skipped(database, pair, reached[f"kline|{pair}|1s"]),
                            limit=20,
                            what=f"every second of {pair} up to the position",
                        )
            for pair in symbols:
                assert database[GAPS].count_documents({"kind": "trade", "symbol": pair}) >= 1
