"""The features job on the real Spark and MongoDB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymongo.database import Database

from cryptobot.features import FEATURE_SET, compute
from cryptobot.market import Interval, Span
from cryptobot.market.instant import EPOCH
from cryptobot.settings import Settings
from cryptobot.storage import features
from cryptobot.storage.job_reports import find_report
from spark_jobs.features import END_OF_TIME
from tests.features.market import walk
from tests.spark_jobs.market import store_candles, submit

pytestmark = pytest.mark.slow

QUARTER = Interval.MINUTE_15
COUNT = 400


@pytest.fixture
def candles(database: Database[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    made = {"BTCUSDT": walk(COUNT, seed=1), "ETHUSDT": walk(COUNT, seed=2).drop(index=150)}
    for symbol, frame in made.items():
        store_candles(database, symbol, "15m", frame)
    store_candles(database, "BTCUSDT", "1m", walk(50, minutes=1))
    return made


def stored(database: Database[dict[str, Any]], symbol: str) -> pd.DataFrame:
    return features.load(database, Span(symbol, QUARTER, EPOCH, END_OF_TIME), FEATURE_SET)


def test_every_candle_gets_the_features_that_live_scoring_computes(
    database: Database[dict[str, Any]], app_settings: Settings, candles: dict[str, pd.DataFrame]
) -> None:
    names = list(FEATURE_SET.names)
    both = {symbol: candles[other] for symbol, other in (("BTCUSDT", "ETHUSDT"), ("ETHUSDT", "BTCUSDT"))}
    ranged = ("--start", "2025-01-02T12:00:00", "--end", "2025-01-03")
    part = submit(
        "features", app_settings, "--symbols", "BTCUSDT", "--intervals", "15m", "--report", "p", *ranged
    )
    assert part.returncode == 0, part.stderr
    # The range's own candles, and those after it whose features look back on them.
    made = slice(144, 192 + FEATURE_SET.warm_up + 4)
    expected = compute(candles["BTCUSDT"], both["BTCUSDT"], QUARTER)[made]
    found = stored(database, "BTCUSDT")
    assert found["open_time"].tolist() == candles["BTCUSDT"]["open_time"][made].tolist()
    np.testing.assert_allclose(found[names], expected, rtol=1e-9, atol=1e-12)

    arguments = ("--symbols", "BTCUSDT,ETHUSDT", "--intervals", "15m,1m", "--report", "all")
    whole = submit("features", app_settings, *arguments)
    assert whole.returncode == 0, whole.stderr
    for symbol, own in candles.items():
        found = stored(database, symbol)
        np.testing.assert_allclose(found[names], compute(own, both[symbol], QUARTER), rtol=1e-9, atol=1e-12)

    first = database["features"].find_one({"_id": "BTCUSDT|15m|1735689600000|v1"})
    assert first is not None
    assert first["values"]["return_24"] is None
    assert list(first["values"]) == names
    report = find_report(database, "all")
    assert report is not None
    assert [span["rows"] for span in report["spans"]] == [COUNT, COUNT - 1, 50, 0]
    assert database["features"].count_documents({}) == report["rows"] == 2 * COUNT - 1 + 50


def test_without_candles_the_job_fails_with_one_line(app_settings: Settings) -> None:
    arguments = ("--symbols", "BTCUSDT", "--intervals", "15m", "--report", "r")
    failed = submit("features", app_settings, *arguments)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == (
        "features failed: historical_data holds no 15m candle of BTCUSDT in the range; fetch history first"
    )
