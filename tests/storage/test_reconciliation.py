"""A day's live candles against a real exchange's, in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Interval, Kline, Span
from cryptobot.market.span import day_spans, load_spans
from cryptobot.settings import Settings
from cryptobot.storage.collections import CORRECTIONS, GAPS, HISTORICAL_DATA, RECONCILIATIONS, STREAMING_DATA
from cryptobot.storage.gaps import ABSENT, OPEN, REPAIRED
from cryptobot.storage.reconciliation import DayNotClosedError, reconcile
from tests.exchange_server import running_exchange

YESTERDAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = f"{YESTERDAY:%Y-%m-%d}"
HOUR = timedelta(hours=1)
Db = Database[dict[str, Any]]


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def settings(app_settings: Settings, exchange: str) -> Settings:
    return app_settings.model_copy(
        update={"rest_url": exchange, "symbols": ("BTCUSDT",), "intervals": ("1h", "1d")}
    )


@pytest.fixture
def candles(settings: Settings) -> list[Kline]:
    """The exchange's candles of yesterday: 24 of an hour, one of the day."""
    with RestClient(settings.rest_url) as client:
        return [
            Kline.from_rest(span.symbol, span.interval, row)
            for span in day_spans(settings.symbols, settings.intervals, DAY)
            for page in client.klines(span, client.server_time())
            for row in page
        ]


def store_live(database: Db, candles: list[Kline]) -> None:
    database[STREAMING_DATA].insert_many(
        {
            "_id": f"kline|{candle.key}",
            "kind": "kline",
            **asdict(candle),
            "interval": candle.interval.value,
            "received_at": candle.close_time,
        }
        for candle in candles
    )


def store_history(database: Db, candles: list[Kline]) -> None:
    database[HISTORICAL_DATA].insert_many(
        {
            "_id": candle.key,
            **asdict(candle),
            "interval": candle.interval.value,
            "source": "rest",
            "ingested_at": datetime.now(UTC),
        }
        for candle in candles
    )


def test_a_good_day_is_equal_and_asks_for_nothing(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_live(database, candles)
    store_history(database, candles)
    found = reconcile(settings, database, DAY)
    assert (found["state"], found["live"], found["history"]) == ("equal", 25, 25)
    assert (found["differences"], found["ask"]) == ([], "[]")
    assert database[RECONCILIATIONS].count_documents({"_id": DAY}) == 1


def test_what_never_arrived_live_is_put_in_from_rest_and_recorded(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_live(database, candles[:3] + candles[5:])
    store_history(database, candles)
    found = reconcile(settings, database, DAY)
    assert (found["state"], found["live"], found["repaired"]) == ("repaired", 23, 2)
    assert [each["open_time"] for each in found["differences"]] == [
        YESTERDAY + 3 * HOUR,
        YESTERDAY + 4 * HOUR,
    ]
    (put_in, _) = database[STREAMING_DATA].find({"repaired_from": "rest"}).sort("open_time")
    assert put_in["_id"] == f"kline|{candles[3].key}"
    assert {name: put_in[name] for name in asdict(candles[3])} == asdict(candles[3]) | {"interval": "1h"}
    (gap,) = database[GAPS].find()
    assert (gap["from"], gap["to"]) == (YESTERDAY + 3 * HOUR, YESTERDAY + 5 * HOUR)
    assert (gap["state"], gap["found_by"], gap["kind"]) == (REPAIRED, "reconciliation", "kline")


def test_a_day_made_again_tells_the_same_and_writes_nothing_new(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_live(database, candles[:3])
    store_history(database, candles)
    once = reconcile(settings, database, DAY)
    stored = list(database[STREAMING_DATA].find().sort("_id"))
    again = reconcile(settings, database, DAY)
    assert {**again, "checked_at": None} == {**once, "checked_at": None}
    assert list(database[STREAMING_DATA].find().sort("_id")) == stored
    assert database[GAPS].count_documents({}) == 2


def test_a_live_candle_that_differs_is_listed_with_both_values_and_left_alone(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_live(database, candles)
    store_history(database, candles)
    database[STREAMING_DATA].update_one(
        {"_id": f"kline|{candles[7].key}"}, {"$set": {"volume": 1.5, "trades": 3}}
    )
    found = reconcile(settings, database, DAY)
    assert (found["state"], found["differing"]) == ("differs", 1)
    (listed,) = found["differences"]
    assert (listed["key"], listed["kind"]) == (candles[7].key, "differs")
    assert listed["values"] == {"volume": [1.5, candles[7].volume], "trades": [3, candles[7].trades]}
    assert reconcile(settings, database, DAY)["differing"] == 1


def test_what_differs_is_replaced_when_a_person_asks_for_it_and_what_was_there_is_kept(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_live(database, candles)
    store_history(database, candles)
    key = f"kline|{candles[7].key}"
    database[STREAMING_DATA].update_one({"_id": key}, {"$set": {"volume": 1.5}})
    assert reconcile(settings, database, DAY, replace_differing=True)["differing"] == 0
    assert database[STREAMING_DATA].find_one({"_id": key})["volume"] == candles[7].volume
    (kept,) = database[CORRECTIONS].find()
    assert (kept["before"], kept["after"]) == ({"volume": 1.5}, {"volume": candles[7].volume})


def test_what_history_lacks_or_has_wrong_is_asked_for_and_not_written_here(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_live(database, candles)
    store_history(database, candles[:10] + candles[12:])
    database[HISTORICAL_DATA].update_one({"_id": candles[12].key}, {"$set": {"close": 1.0}})
    found = reconcile(settings, database, DAY)
    assert (found["missing_in_history"], found["history_differs"]) == (2, 1)
    assert load_spans(found["ask"]) == [
        Span("BTCUSDT", Interval.HOUR_1, YESTERDAY + 10 * HOUR, YESTERDAY + 13 * HOUR)
    ]
    assert database[HISTORICAL_DATA].count_documents({}) == 23


def test_a_day_without_live_data_is_said_and_nothing_is_put_in(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    store_history(database, candles)
    found = reconcile(settings, database, DAY)
    assert (found["state"], found["ask"], found["differences"]) == ("no live data", "[]", [])
    assert database[STREAMING_DATA].count_documents({}) == 0


def test_recorded_holes_that_the_exchange_can_fill_by_now_are_asked_for_again(
    settings: Settings, database: Db, candles: list[Kline]
) -> None:
    filled = Span("BTCUSDT", Interval.HOUR_1, YESTERDAY - 30 * HOUR, YESTERDAY - 28 * HOUR)
    future = YESTERDAY + timedelta(hours=23)

    def gap(span_from: datetime, to: datetime, interval: str, state: str) -> dict[str, Any]:
        key = f"BTCUSDT|{interval}|{span_from:%H}"
        return {
            "_id": key,
            "symbol": "BTCUSDT",
            "interval": interval,
            "from": span_from,
            "to": to,
            "state": state,
        }

    database[GAPS].insert_many(
        [
            gap(filled.start, filled.end, "1h", ABSENT),
            # no candle of three days opens there
            gap(future, future + HOUR, "3d", OPEN),
            # too long ago to be asked about
            gap(YESTERDAY - timedelta(days=30), YESTERDAY - timedelta(days=29), "1h", ABSENT),
        ]
    )
    found = reconcile(settings, database, DAY)
    assert load_spans(found["ask"]) == [filled]
    assert database[GAPS].find_one({"interval": "3d"})["state"] == ABSENT


def test_a_day_that_is_not_over_is_refused(settings: Settings, database: Db) -> None:
    with pytest.raises(DayNotClosedError, match="is not over"):
        reconcile(settings, database, f"{datetime.now(UTC):%Y-%m-%d}")
