"""When a data set is fresh, stale, or was never made; and when people are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Interval, Kline
from cryptobot.settings import Settings
from cryptobot.storage.candle_freshness import candle_facts
from cryptobot.storage.collections import FRESHNESS, HISTORICAL_DATA
from cryptobot.storage.freshness import (
    EXPECTATIONS,
    SETTLING,
    CandleFacts,
    Event,
    Expectation,
    Facts,
    Judgement,
    check,
    judge,
)
from tests.exchange_server import running_exchange

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WHOLE = CandleFacts(NOW, [])
Db = Database[dict[str, Any]]

DAILY = Expectation("exchange_info", "exchange_info", timedelta(hours=26))
MODELS = Expectation("models", "models", 3 * HOUR, "features", signal_interval=True)
HISTORY = Expectation("historical_data", "historical_data", 3 * HOUR, source="candles")


def facts(
    candles: CandleFacts = WHOLE, paused: frozenset[str] = frozenset(), **ages: timedelta | list[Event]
) -> Facts:
    events = {asset: age if isinstance(age, list) else [Event(NOW - age)] for asset, age in ages.items()}
    return Facts(events, candles, signal_interval="15m", paused=paused)


def weekly(known: Facts) -> Facts:
    """The same where models are trained after seven days of new candles."""
    return replace(known, retrained_every=timedelta(days=7))


def judged(expectation: Expectation, known: Facts, first_checked: timedelta = 48 * HOUR) -> Judgement:
    return judge(expectation, known, NOW, NOW - first_checked)


class TestAge:
    def test_an_asset_within_its_limit_is_fresh(self) -> None:
        assert judged(DAILY, facts(exchange_info=25 * HOUR)).state == "fresh"

    def test_an_asset_older_than_its_limit_is_stale_and_says_how_old(self) -> None:
        found = judged(DAILY, facts(exchange_info=27 * HOUR))
        assert (found.state, found.overdue) == ("stale", True)
        assert found.why == "made 27 h 0 min ago; 26 h 0 min are allowed"

    def test_what_was_never_made_is_overdue_once_it_could_have_been(self) -> None:
        early, late = judged(DAILY, facts(), HOUR), judged(DAILY, facts(), 27 * HOUR)
        assert (early.state, early.overdue) == ("never", False)
        assert (late.state, late.overdue) == ("never", True)

    def test_a_paused_dag_is_named_as_the_cause(self) -> None:
        found = judged(DAILY, facts(exchange_info=27 * HOUR, paused=frozenset({"exchange_info"})))
        assert found.why.endswith("its DAG exchange_info is paused")


class TestFollowing:
    def test_an_asset_as_new_as_what_it_is_made_from_is_fresh_however_old(self) -> None:
        assert judged(MODELS, facts(features=500 * HOUR, models=499 * HOUR)).state == "fresh"

    @pytest.mark.parametrize(("waiting", "state"), [(2 * HOUR, "fresh"), (4 * HOUR, "stale")])
    def test_it_is_stale_when_it_was_not_made_again_in_time(self, waiting: timedelta, state: str) -> None:
        assert judged(MODELS, facts(features=waiting, models=500 * HOUR)).state == state

    def test_a_person_who_is_asked_has_the_time_that_is_set(self) -> None:
        champions = next(each for each in EXPECTATIONS if each.asset == "champions")

        def overdue(waiting: timedelta, patience: timedelta) -> bool:
            known = replace(facts(models=waiting, champions=500 * HOUR), patience=patience)
            return judged(champions, known).overdue

        assert overdue(20 * HOUR, timedelta(0))
        assert not overdue(20 * HOUR, 24 * HOUR)
        assert overdue(26 * HOUR, 24 * HOUR)

    def test_it_was_never_made_though_what_it_is_made_from_was(self) -> None:
        found = judged(MODELS, facts(features=4 * HOUR))
        assert (found.state, found.overdue) == ("never", True)

    def test_it_is_not_due_when_what_it_is_made_from_was_never_made(self) -> None:
        assert judged(MODELS, facts()).overdue is False

    def test_features_of_other_intervals_make_no_model_due(self) -> None:
        hourly = Event(NOW - 4 * HOUR, {"intervals": ["1h"]})
        before = Event(NOW - 30 * HOUR, {"intervals": ["15m", "1h"]})
        assert judged(MODELS, facts(features=[hourly, before], models=29 * HOUR)).state == "fresh"
        assert judged(MODELS, facts(features=[hourly, before], models=31 * HOUR)).state == "stale"

    def test_models_that_are_trained_once_a_week_are_due_once_a_week(self) -> None:
        daily = [Event(NOW - 4 * HOUR - days * timedelta(days=1)) for days in range(9)]
        six_days, seven_days = 6 * 24 * HOUR, 7 * 24 * HOUR
        assert judged(MODELS, weekly(facts(features=daily, models=six_days))).state == "fresh"
        assert judged(MODELS, weekly(facts(features=daily, models=seven_days))).state == "stale"
        assert judged(MODELS, facts(features=daily, models=24 * HOUR)).state == "stale"
        soon = 6 * 24 * HOUR + 4 * HOUR + 6 * MINUTE  # six days and six minutes before the newest features
        assert judged(MODELS, weekly(facts(features=daily, models=soon))).state == "fresh"


class TestWatch:
    def test_states_are_stored_and_staleness_keeps_its_beginning(self, database: Db) -> None:
        stale = facts(exchange_info=27 * HOUR)
        check(database, stale, NOW - 2 * SETTLING, [DAILY])
        (first,) = check(database, stale, NOW - SETTLING, [DAILY])
        (again,) = check(database, stale, NOW, [DAILY])
        assert first["stale_since"] == again["stale_since"] == NOW - SETTLING
        stored = database[FRESHNESS].find_one({"_id": "exchange_info"})
        assert (stored["state"], stored["limit_s"]) == ("stale", 26 * 3600)
        (fresh,) = check(database, facts(exchange_info=HOUR), NOW + MINUTE, [DAILY])
        assert fresh["stale_since"] is None

    def test_a_watch_that_begins_again_gives_what_was_off_a_moment(self, database: Db) -> None:
        (found,) = check(database, facts(exchange_info=27 * HOUR), NOW, [DAILY])
        assert (found["state"], found["stale_since"]) == ("stale", None)

    def test_an_asset_that_is_not_watched_any_more_is_forgotten(self, database: Db) -> None:
        check(database, facts(), NOW, [DAILY, MODELS])
        check(database, facts(), NOW, [MODELS])
        assert database[FRESHNESS].distinct("_id") == ["models"]

    def test_every_asset_is_expected_once(self) -> None:
        names = [expectation.asset for expectation in EXPECTATIONS]
        assert len(names) == len(set(names))


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


class TestCandles:
    GRACE = 3 * HOUR

    def test_whole_history_is_fresh_and_a_day_behind_is_not(
        self, app_settings: Settings, database: Db, exchange: str
    ) -> None:
        settings = app_settings.model_copy(
            update={"rest_url": exchange, "symbols": ("BTCUSDT",), "intervals": ("1h",)}
        )
        with RestClient(exchange) as client:
            midnight = (client.server_time() - self.GRACE).replace(hour=0, minute=0, second=0, microsecond=0)
        store(database, midnight - HOUR)
        whole = candle_facts(settings, database, self.GRACE)
        assert whole == CandleFacts(midnight, [])
        database[HISTORICAL_DATA].delete_many({})
        store(database, midnight - 25 * HOUR)
        behind = candle_facts(settings, database, self.GRACE)
        assert behind.lacking == [f"BTCUSDT 1h from {midnight - 24 * HOUR:%Y-%m-%d %H:%M}"]
        found = judged(HISTORY, facts(behind))
        assert (found.state, found.overdue) == ("stale", True)

    def test_a_record_that_ends_in_the_past_is_no_alarm(
        self, app_settings: Settings, database: Db, shared_data: Any
    ) -> None:
        with running_exchange(REPLAY_DIR=str(shared_data / "klines")) as url, RestClient(url) as client:
            settings = app_settings.model_copy(
                update={"rest_url": url, "symbols": ("BTCUSDT",), "intervals": ("1d",)}
            )
            every = next(iter(client.klines(whole_record("BTCUSDT"), client.server_time())))
            last = Kline.from_rest("BTCUSDT", Interval.DAY_1, every[-1])
            assert last.open_time < datetime.now(UTC) - timedelta(days=3)
            store(database, last.open_time, "1d")
            assert candle_facts(settings, database, self.GRACE).lacking == []
            database[HISTORICAL_DATA].delete_many({})
            store(database, last.open_time - timedelta(days=1), "1d")
            assert candle_facts(settings, database, self.GRACE).lacking == [
                f"BTCUSDT 1d from {last.open_time:%Y-%m-%d %H:%M}"
            ]

    def test_no_candle_at_all_was_never_made(self) -> None:
        found = judged(HISTORY, facts(CandleFacts(None, ["BTCUSDT 1h: none is stored"])))
        assert (found.state, found.overdue) == ("never", True)


def whole_record(symbol: str):
    from cryptobot.market import Span

    return Span(symbol, Interval.DAY_1, datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def store(database: Db, open_time: datetime, interval: str = "1h") -> None:
    length = timedelta(milliseconds=Interval(interval).milliseconds)
    names = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
    database[HISTORICAL_DATA].insert_one(
        {
            "_id": f"BTCUSDT|{interval}|{int(open_time.timestamp() * 1000)}",
            "symbol": "BTCUSDT",
            "interval": interval,
            "open_time": open_time,
            "close_time": open_time + length,
            **dict.fromkeys(names, 1.0),
            "trades": 1,
            "source": "rest",
            "ingested_at": NOW,
        }
    )
