from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.market import Interval
from cryptobot.serving.retraining import aged_champions, learned_until, reason_to_train
from cryptobot.storage import backtests
from tests.serving.drifting import AFTER, START, STEP, TRAINED, store_features, train

Db = Database[dict[str, Any]]
DAY = timedelta(days=1)
LEARNED = datetime(2026, 1, 10, tzinfo=UTC)
DRIFT = ["v1 has drifted"]


@pytest.mark.parametrize(
    ("made_from", "asked", "known", "learned", "every", "trains", "why"),
    [
        (LEARNED, [], LEARNED + DAY, None, 1, True, "no pair has a model yet"),
        (LEARNED, [], LEARNED + DAY, LEARNED, 1, True, "2026-01-10 00:00 until 2026-01-11 00:00 are new"),
        (LEARNED, [], LEARNED + 6 * DAY, LEARNED, 7, False, "CRYPTOBOT_RETRAIN_AFTER_DAYS"),
        (LEARNED, [], LEARNED + 7 * DAY, LEARNED, 7, True, "are new"),
        (LEARNED - DAY, [], LEARNED, LEARNED, 7, True, "were made again"),
        (LEARNED, DRIFT, LEARNED + DAY, LEARNED, 7, True, "v1 has drifted"),
        (None, DRIFT, LEARNED + DAY, LEARNED, 7, True, "v1 has drifted"),
        (None, DRIFT, LEARNED, LEARNED, 1, False, "models know all candles.* although v1 has drifted"),
        (None, [], LEARNED, LEARNED, 1, True, "by hand"),
        (None, [], None, None, 1, False, "no features"),
    ],
)
def test_a_training_has_a_cause(
    made_from: Any, asked: list[str], known: Any, learned: Any, every: int, trains: bool, why: str
) -> None:
    decided, told = reason_to_train(made_from, asked, known, learned, every * DAY)
    assert decided is trains
    assert re.search(why, told)


def test_the_newest_model_of_any_pair_tells_what_is_learned(database: Db) -> None:
    assert learned_until(database, ["BTCUSDT"]) is None
    for symbol, days in (("BTCUSDT", 0), ("BTCUSDT", 2), ("ETHUSDT", 1)):
        made = {"_id": f"{symbol}-{days}", "symbol": symbol, "created_at": LEARNED + days * DAY}
        backtests.save(database, made)
    assert learned_until(database, ["BTCUSDT"]) == LEARNED + 2 * DAY
    assert learned_until(database, ["ETHUSDT", "BTCUSDT"]) == LEARNED + 2 * DAY
    assert learned_until(database, ["ETHUSDT", "SOLUSDT"]) == LEARNED + DAY, "one cannot be trained"
    assert learned_until(database, ["SOLUSDT"]) is None


def test_a_champion_ages_by_the_candles_since_its_training(database: Db) -> None:
    def aged(max_age: timedelta) -> dict[str, str]:
        return aged_champions(database, ["BTCUSDT", "ETHUSDT"], Interval.MINUTE_15, max_age)

    assert aged(DAY) == {}
    version = train(database)
    assert aged(DAY) == {}, "without features nobody knows how late it is"
    store_features(database)
    age = (AFTER + 1) * STEP
    assert aged(2 * age + STEP) == {}
    assert aged(2 * age)["BTCUSDT"].startswith(
        f"{version} was trained on candles until {START + (TRAINED - 1) * STEP:%Y-%m-%d}, 4 d ago"
    )
