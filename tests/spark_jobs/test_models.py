"""The models job on the real Spark and MongoDB: one symbol learns, another cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymongo.database import Database

from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.risk import PROFILES
from cryptobot.market import Interval
from cryptobot.serving.bundle import open_bundle
from cryptobot.serving.registry import load_bundle
from cryptobot.settings import Settings
from cryptobot.storage.backtests import newest
from cryptobot.storage.job_reports import find_report
from tests.features.market import walk
from tests.spark_jobs.market import store_candles, store_features, submit

pytestmark = pytest.mark.slow

QUARTER = Interval.MINUTE_15
AS_OF = "2025-01-13T00:00:00Z"
ARGUMENTS = ("--symbols", "BTCUSDT,ETHUSDT", "--interval", "15m", "--as-of", AS_OF, "--report", "r")


def test_one_symbol_learns_while_the_other_s_failure_is_reported(
    database: Database[dict[str, Any]], app_settings: Settings
) -> None:
    candles = {"BTCUSDT": walk(1_200, seed=1), "ETHUSDT": walk(300, seed=2)}
    features = {symbol: compute(frame, None, QUARTER) for symbol, frame in candles.items()}
    for symbol, frame in candles.items():
        store_candles(database, symbol, "15m", frame)
        store_features(database, symbol, "15m", features[symbol].set_index(frame["open_time"]))

    for _ in range(2):
        done = submit("models", app_settings, *ARGUMENTS)
        assert done.returncode == 0, done.stderr
    assert "models: no challenger: ETHUSDT 15m: 300 candles give 188 labelled rows, and 1000" in done.stderr

    report = find_report(database, "r")
    assert report is not None
    assert list(report["failures"]) == ["ETHUSDT"]
    assert report["fits"] == 12
    made = report["challengers"]["BTCUSDT"]
    assert made["fit"] is False

    (model,) = database["models"].find()  # made twice from the same data, it is the same model
    assert model["_id"] == made["version"] == f"BTCUSDT-20250113T000000Z-{made['sha256'][:8]}"
    assert model["state"] == "challenger"
    assert model["metrics"]["candles"] == 1_152  # none that closes after as-of
    assert model["other_symbol"] == "ETHUSDT"
    opened = open_bundle(load_bundle(database, model["_id"]), app_settings.bundle_key)
    opened.check_golden_rows()
    probabilities = opened.predict(features["BTCUSDT"].to_numpy(np.float32)[200:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    (backtest,) = newest(database, "BTCUSDT")
    assert backtest["metrics"]["backtest"].keys() == {"strategy", "always_hold", "momentum", "buy_and_hold"}
    assert backtest["trials"] == model["trials"] > len(ALGORITHMS)
    assert len(backtest["importance"]) == len(FEATURE_SET.names)
    assert len(backtest["learning_curve"]) == 4
    assert backtest["profiles"].keys() == PROFILES.keys()
    assert backtest["curves"]["open_time"][-1] <= backtest["window"]["end"]


def test_without_any_challenger_the_job_fails(app_settings: Settings) -> None:
    failed = submit("models", app_settings, *ARGUMENTS)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == (
        "models failed: BTCUSDT 15m: no candles before 2025-01-13T00:00:00+00:00; fetch history first;"
        " ETHUSDT 15m: no candles before 2025-01-13T00:00:00+00:00; fetch history first"
    )
