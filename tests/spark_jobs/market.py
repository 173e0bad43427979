"""Candles in ``historical_data`` for the Spark jobs' tests, and jobs as they are submitted."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pymongo.database import Database

from cryptobot.market.instant import to_ms
from cryptobot.market.kline import kline_id
from cryptobot.settings import ROOT, Settings
from cryptobot.storage.collections import HISTORICAL_DATA
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


def submit(job: str, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``spark_jobs/<job>.py`` as a program of its own on the real Spark."""
    return run_program([str(ROOT / "spark_jobs" / f"{job}.py"), *arguments], settings)
