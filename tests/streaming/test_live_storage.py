from __future__ import annotations

from datetime import timedelta

import pytest
from pymongo.errors import PyMongoError

from cryptobot.market.instant import from_ms
from cryptobot.storage import live
from cryptobot.storage.collections import STREAMING_DATA
from cryptobot.storage.database import Document
from streaming.documents import document, wrap
from tests.streaming.feed import RECEIVED_MS, ticker, trade
from tests.streaming.test_live_path import Documents, stored_ids


def made(frame: str, received_ms: int = RECEIVED_MS) -> Document:
    found = document(wrap(frame.encode(), received_ms))
    assert found is not None
    return found


class TestInsertNew:
    def test_counts_only_what_is_new_and_keeps_what_was_there(self, database: Documents) -> None:
        first = [made(trade("BTCUSDT", n)) for n in range(3)]
        assert live.insert_new(database, first).inserted == 3
        again = [made(trade("BTCUSDT", n, p="1"), RECEIVED_MS + 9) for n in range(5)]
        assert live.insert_new(database, again) == live.Written(2, [])
        kept = database[STREAMING_DATA].find_one({"trade_id": 0})
        assert kept is not None
        assert (kept["price"], kept["received_at"]) == (63000.12, from_ms(RECEIVED_MS))

    def test_names_what_the_server_refuses_and_stores_the_rest(self, database: Documents) -> None:
        database.command("collMod", STREAMING_DATA, validator={"trade_id": {"$ne": 1}})
        written = live.insert_new(database, [made(trade("BTCUSDT", n)) for n in range(3)])
        assert written.inserted == 2
        assert [(at, "validation" in reason) for at, reason in written.refused] == [(1, True)]
        assert stored_ids(database, "BTCUSDT") == [0, 2]

    def test_what_is_not_known_to_be_a_documents_fault_is_raised_to_be_tried_again(
        self, database: Documents, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "REFUSALS", frozenset())
        database.command("collMod", STREAMING_DATA, validator={"trade_id": {"$ne": 1}})
        with pytest.raises(PyMongoError):
            live.insert_new(database, [made(trade("BTCUSDT", 1))])

    def test_nothing_to_write_is_nothing_written(self, database: Documents) -> None:
        assert live.insert_new(database, []) == live.Written(0, [])


class TestKeepLatest:
    def test_a_ticker_received_earlier_does_not_replace_a_later_one(self, database: Documents) -> None:
        for close, received in (("1", RECEIVED_MS), ("3", RECEIVED_MS + 2), ("2", RECEIVED_MS + 1)):
            live.keep_latest(database, [made(ticker("BTCUSDT", close), received)])
        (kept,) = database[STREAMING_DATA].find({"kind": "ticker"})
        assert (kept["_id"], kept["close"]) == ("ticker|BTCUSDT", 3.0)
        assert live.newest_tickers(database, ["BTCUSDT", "ETHUSDT"]) == {
            "BTCUSDT": from_ms(RECEIVED_MS) + timedelta(milliseconds=2)
        }


class TestIndexes:
    def test_expired_candles_are_found_without_a_scan(self, database: Documents) -> None:
        live.insert_new(database, [made(trade("BTCUSDT", n)) for n in range(20)])
        expired = {"kind": "kline", "received_at": {"$lt": from_ms(RECEIVED_MS)}}
        plan = database[STREAMING_DATA].find(expired).sort("received_at", 1).explain()
        stats = database.command(
            "explain", {"find": STREAMING_DATA, "filter": expired}, verbosity="executionStats"
        )["executionStats"]
        assert "kind_received_at" in str(plan["queryPlanner"]["winningPlan"])
        assert (stats["totalDocsExamined"], stats["totalKeysExamined"]) == (0, 0)
