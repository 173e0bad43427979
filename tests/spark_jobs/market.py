"""Candles and features in MongoDB for the Spark jobs' tests, and jobs as they are submitted."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.market.instant import to_ms
from cryptobot.market.kline import kline_id
from cryptobot.settings import ROOT, Settings
from cryptobot.storage.collections import FEATURES, HISTORICAL_DATA
from tests.spark_program import run_program


def store_candles(
    database: Database[dict[str, Any]], symbol: str, interval: str, candles: pd.DataFrame
) -> None:
    """Insert ``candles`` as the historical job writes them."""
    now = datetime.now(UTC)
    rows = candles.astype(dict.fromkeys(("open", "high", "low", "close", "volume"), float))
    database[HISTORICAL_DATA].insert_many(
        [
            {
                **row,
                "_id": kline_id(symbol, interval, to_ms(row["open_time"].to_pydatetime())),
                "symbol": symbol,
                "interval": interval,
                "source": "rest",
                "ingested_at": now,
            }
            for row in rows.to_dict("records")
        ]
    )


def store_features(
    database: Database[dict[str, Any]], symbol: str, interval: str, computed: pd.DataFrame
) -> None:
    """Insert features as the features job writes them; ``computed`` has open times as its index."""
    database[FEATURES].insert_many(
        {
            "_id": f"{symbol}|{interval}|{to_ms(open_time.to_pydatetime())}|{FEATURE_SET.version}",
            "symbol": symbol,
            "interval": interval,
            "open_time": open_time,
            "version": FEATURE_SET.version,
            "values": {name: None if np.isnan(value) else value for name, value in values.items()},
        }
        for open_time, values in zip(computed.index, computed.to_dict("records"), strict=True)
    )


def submit(job: str, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``spark_jobs/<job>.py`` as a program of its own on the real Spark."""
    return run_program([str(ROOT / "spark_jobs" / f"{job}.py"), *arguments], settings)
