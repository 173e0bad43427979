"""What is deleted from the live data by hand comes back from the exchange, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from pymongo.database import Database

from cryptobot.exchange.kline_repair import kline_event
from cryptobot.exchange.rest import RestClient
from cryptobot.market import Interval, Span
from cryptobot.market.instant import MILLISECOND, from_ms, to_ms
from cryptobot.settings import Settings
from cryptobot.storage import live_holes
from cryptobot.storage.collections import GAPS, STREAMING_DATA
from streaming import gap_repair
from streaming.documents import document
from streaming.gap_repair import repair_gaps
from tests.exchange_server import running_exchange
from tests.servers import free_port

Db = Database[dict[str, Any]]
Stored = dict[str, dict[str, Any]]

SYMBOL = "BTCUSDT"
MINUTES = 12
PAGE = 1_000


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def fed(app_settings: Settings, exchange: str) -> Settings:
    """Settings of a live feed of one pair from that exchange."""
    changes = {"rest_url": exchange, "symbols": (SYMBOL,), "intervals": ("1m", "15m")}
    return app_settings.model_copy(update=changes)


@pytest.fixture(scope="module")
def trades(exchange: str) -> list[dict[str, Any]]:
    """All that was traded in the last minutes, as events of the stream."""
    now = datetime.now(UTC)
    return list(traded(exchange, now - timedelta(minutes=MINUTES), now))


@pytest.fixture
def feed(fed: Settings, database: Db, trades: list[dict[str, Any]]) -> Stored:
    """What was traded, and the candles up to now, as if all had arrived in time."""
    documents = [stored(event, event["T"]) for event in trades]
    with RestClient(fed.rest_url) as rest:
        now = rest.server_time()
        for interval in map(Interval, fed.intervals):
            first = interval.floor(to_ms(documents[0]["event_time"]))
            span = Span(SYMBOL, interval, from_ms(first), max(now, from_ms(first + 1)))
            events = [kline_event(SYMBOL, interval, row) for rows in rest.klines(span, now) for row in rows]
            documents += [stored(event, event["E"]) for event in events]
    database[STREAMING_DATA].insert_many(documents)
    return {each["_id"]: each for each in documents}


def traded(url: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """Yield the exchange's own list of trades, one by one, as events of the stream."""
    bounds = {"symbol": SYMBOL, "startTime": to_ms(start), "limit": 1}
    following = httpx.get(f"{url}/api/v3/aggTrades", params=bounds).json()[0]["f"]
    while True:
        asked = {"symbol": SYMBOL, "fromId": following, "limit": PAGE}
        rows = httpx.get(f"{url}/api/v3/historicalTrades", params=asked).json()
        for row in rows:
            if row["time"] >= to_ms(end):
                return
            yield {
                "e": "trade", "E": row["time"], "s": SYMBOL, "t": row["id"], "p": row["price"],
                "q": row["qty"], "T": row["time"], "m": row["isBuyerMaker"],
            }  # fmt: skip
        if len(rows) < PAGE:
            return
        following = rows[-1]["id"] + 1


def stored(event: dict[str, Any], received_ms: int) -> dict[str, Any]:
    made = document(orjson.dumps({"data": event, "received_at": received_ms}))
    assert made is not None
    return made


def now_stored(database: Db) -> Stored:
    return {each["_id"]: each for each in database[STREAMING_DATA].find()}


def without_origin(documents: Stored) -> Stored:
    """Return documents without what tells how they came; an aggregate hides single quantities."""
    hidden = {"received_at", "source", "quantity"}
    return {
        key: {name: value for name, value in each.items() if name not in hidden}
        for key, each in documents.items()
    }


def ids(feed: Stored) -> list[int]:
    return sorted(each["trade_id"] for each in feed.values() if each["kind"] == "trade")


def old(feed: Stored, minutes: float) -> list[int]:
    """Return the ids of trades older than so many minutes."""
    before = datetime.now(UTC) - timedelta(minutes=minutes)
    return sorted(
        each["trade_id"] for each in feed.values() if each["kind"] == "trade" and each["event_time"] < before
    )


def delete(database: Db, trade_ids: list[int]) -> None:
    keys = [f"trade|{SYMBOL}|{trade_id}" for trade_id in trade_ids]
    assert database[STREAMING_DATA].delete_many({"_id": {"$in": keys}}).deleted_count == len(trade_ids)


class TestRepair:
    def test_a_whole_feed_is_left_as_it_is(self, fed: Settings, database: Db, feed: Stored) -> None:
        done = repair_gaps(fed, database)
        assert (done.found, done.trades, done.klines, done.open, done.left) == (0, 0, 0, 0, False)
        assert now_stored(database) == feed

    def test_trades_and_candles_that_were_deleted_are_back(
        self, fed: Settings, database: Db, feed: Stored
    ) -> None:
        settled = old(feed, 3)
        gone = [settled[5], *settled[100:131], *settled[2_000:2_900], settled[-1]]
        delete(database, gone)
        candles = sorted(key for key in feed if key.startswith(f"kline|{SYMBOL}|1m|"))
        closed = datetime.now(UTC) - timedelta(minutes=2)
        quarters = [key for key in feed if "|15m|" in key and feed[key]["close_time"] < closed]
        lost = [*candles[3:6], candles[-2], *quarters]
        database[STREAMING_DATA].delete_many({"_id": {"$in": lost}})
        done = repair_gaps(fed, database)
        assert (done.trades, done.klines, done.failures, done.left) == (len(gone), len(lost), [], False)
        now = now_stored(database)
        assert without_origin(now) == without_origin(feed)
        filled = {key for key, each in now.items() if each["source"] == "rest"}
        assert filled == {*lost, *(f"trade|{SYMBOL}|{trade_id}" for trade_id in gone)}
        gaps = {gap["_id"]: gap for gap in database[GAPS].find()}
        assert {gap["state"] for gap in gaps.values()} == {"repaired"}
        assert gaps[f"trade|{SYMBOL}|{settled[100]}"]["last_id"] == settled[130]
        assert all(gap["from"] < gap["to"] and gap["found_by"] == "live_gaps" for gap in gaps.values())
        assert {candles[3], candles[-2]} <= gaps.keys()
        assert repair_gaps(fed, database).found == 0

    def test_what_may_still_come_is_not_asked_for(self, fed: Settings, database: Db, feed: Stored) -> None:
        *gone, after, newest = ids(feed)[-5:]
        delete(database, gone)
        for seconds, trade_id in ((5, after), (0, newest)):
            at = datetime.now(UTC) - timedelta(seconds=seconds)
            database[STREAMING_DATA].update_one(
                {"trade_id": trade_id}, {"$set": {"received_at": at, "event_time": at}}
            )
        assert repair_gaps(fed, database).found == 0

    def test_a_run_does_a_bounded_amount_and_the_next_one_goes_on(
        self, fed: Settings, database: Db, feed: Stored
    ) -> None:
        gone = old(feed, 3)[500:3_500]
        delete(database, gone)
        first = repair_gaps(fed, database, trades_at_once=1_000)
        assert first.left
        assert 1_000 <= first.trades <= 1_000 + PAGE * 4
        assert first.trades < len(gone)
        assert (first.repaired, first.open) == (0, 1)
        runs = [repair_gaps(fed, database, trades_at_once=1_000) for _ in range(4)]
        assert first.trades + sum(run.trades for run in runs) == len(gone)
        assert runs[-1].open == 0
        assert without_origin(now_stored(database)) == without_origin(feed)

    def test_a_hole_that_a_daemon_recorded_is_closed(self, fed: Settings, database: Db, feed: Stored) -> None:
        gone = old(feed, 3)[50:60]
        delete(database, gone)
        at = feed[f"trade|{SYMBOL}|{gone[0]}"]["event_time"]
        database[GAPS].insert_one(
            {
                "_id": f"trade|{SYMBOL}|{gone[0] - 3}",
                "kind": "trade",
                "symbol": SYMBOL,
                "first_id": gone[0] - 3,
                "last_id": gone[-1] + 3,
                "from": at,
                "to": at + timedelta(seconds=5),
                "state": "open",
                "found_by": "producer",
                "found_at": datetime.now(UTC) - timedelta(minutes=2),
            }
        )
        assert repair_gaps(fed, database).trades == len(gone)
        (gap,) = database[GAPS].find()
        assert (gap["state"], gap["found_by"]) == ("repaired", "producer")

    def test_what_the_exchange_does_not_have_is_absent_and_not_asked_for_again(
        self, fed: Settings, database: Db, feed: Stored
    ) -> None:
        trades = [each for each in feed.values() if each["kind"] == "trade"]
        database[STREAMING_DATA].delete_many({"kind": "trade"})
        moved = sorted(trades, key=lambda each: each["trade_id"])[-200:]
        for at, each in enumerate(moved):  # trades of ids that the exchange has yet to give, long ago
            each["trade_id"] += 5_000_000 + (100 if at >= 100 else 0)
            each["_id"] = f"trade|{SYMBOL}|{each['trade_id']}"
            each["event_time"] -= timedelta(minutes=20)
            each["received_at"] -= timedelta(minutes=20)
        database[STREAMING_DATA].insert_many(moved)
        done = repair_gaps(fed, database)
        assert (done.found, done.absent, done.open) == (1, 1, 0)
        assert repair_gaps(fed, database).found == 0

    def test_a_replay_of_old_candles_and_trades_has_no_holes(
        self, fed: Settings, database: Db, feed: Stored
    ) -> None:
        delete(database, old(feed, 3)[50:60])
        ago = timedelta(days=300)
        for name in ("event_time", "open_time", "close_time"):
            database[STREAMING_DATA].update_many(
                {name: {"$exists": True}}, [{"$set": {name: {"$subtract": [f"${name}", ago // MILLISECOND]}}}]
            )
        done = repair_gaps(fed, database)
        assert (done.found, done.open) == (0, 0)

    def test_an_exchange_that_is_away_is_told_and_nothing_is_marked(
        self, fed: Settings, database: Db, feed: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cryptobot.exchange.patience._BACKOFF", lambda _: 0.0)
        away = fed.model_copy(update={"rest_url": f"http://127.0.0.1:{free_port()}"})
        delete(database, old(feed, 3)[50:60])
        done = repair_gaps(away, database)
        assert "gave no usable answer" in done.failures[0]
        assert database[GAPS].count_documents({"state": {"$ne": "open"}}) == 0

    def test_holes_are_found_by_any_size_of_step(
        self, fed: Settings, database: Db, feed: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live_holes, "_READ_AT_ONCE", 7)
        monkeypatch.setattr(live_holes, "_ROUGHLY", 3)
        settled = old(feed, 3)
        gone = [*settled[10:40], settled[41], *settled[300:320]]
        delete(database, gone)
        window = live_holes.trade_window(
            database, SYMBOL, gap_repair.TRADES_REACH, datetime.now(UTC) - gap_repair.SETTLED
        )
        assert window is not None
        found = live_holes.missing_trades(database, window)
        assert [(hole.first_id, hole.last_id) for hole in found] == [
            (settled[10], settled[39]), (settled[41], settled[41]), (settled[300], settled[319])
        ]  # fmt: skip
