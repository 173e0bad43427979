"""One symbol's failure, of whatever kind, is told and is not the others'."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pymongo.database import Database

from cryptobot.features import compute
from cryptobot.learning.algorithms import RANDOM_FOREST
from cryptobot.market import Interval
from cryptobot.settings import Settings
from spark_jobs.fits import Task, fit_task
from spark_jobs.models import load_datasets, register_all
from tests.features.market import walk
from tests.learning.planted import dataset
from tests.spark_jobs.market import store_candles, store_features

QUARTER = Interval.MINUTE_15
AS_OF = datetime(2025, 2, 1, tzinfo=UTC)


def test_what_cannot_be_read_is_named_and_the_others_are_learned_from(
    database: Database[dict[str, Any]],
) -> None:
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        candles = walk(1_200, seed=seed)
        store_candles(database, symbol, "15m", candles)
        store_features(
            database, symbol, "15m", compute(candles, None, QUARTER).set_index(candles["open_time"])
        )
    database["features"].update_one({"symbol": "ETHUSDT"}, {"$unset": {"values.return_24": ""}})

    datasets, failures = load_datasets(database, ["ETHUSDT", "BTCUSDT", "SOLUSDT"], QUARTER, AS_OF)
    assert list(datasets) == ["BTCUSDT"]
    assert failures["ETHUSDT"] == "ETHUSDT 15m: KeyError: 'return_24'"
    assert failures["SOLUSDT"].startswith("SOLUSDT 15m: no candles before")


def test_a_fit_that_fails_is_told_in_its_place(
    database: Database[dict[str, Any]], app_settings: Settings
) -> None:
    sound = dataset()
    broken = replace(sound, symbol="ETHUSDT", rows=np.full_like(sound.rows, np.inf))
    task = Task("ETHUSDT", RANDOM_FOREST, 0)
    failed = fit_task(broken, task)
    assert failed.result is None
    assert failed.error is not None
    assert failed.error.startswith("random_forest, fold 0: Input X contains infinity")
    assert fit_task(sound, replace(task, symbol="BTCUSDT")).error is None

    challengers, failures = register_all(database, {"ETHUSDT": broken}, [failed], AS_OF, app_settings)
    assert challengers == {}
    assert failures == {"ETHUSDT": f"ETHUSDT 15m: {failed.error}"}
