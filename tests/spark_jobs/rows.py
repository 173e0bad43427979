"""Rows as the sources give them, made to measure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark_jobs.sources.columns import CANDLES

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 2, 1, tzinfo=UTC)


def row(hour: float, **change: Any) -> dict[str, Any]:
    """Return the candle of an hour after START."""
    opened = change.get("open_time") or START + timedelta(hours=hour)
    return {
        "symbol": "BTCUSDT",
        "interval": "1h",
        "open_time": opened,
        "close_time": opened + timedelta(hours=1, milliseconds=-1),
        "open": 100.0 + hour,
        "high": 110.0 + hour,
        "low": 90.0 + hour,
        "close": 105.0 + hour,
        "volume": 10.0,
        "quote_volume": 1_000.0,
        "trades": 7,
        "taker_buy_base": 4.0,
        "taker_buy_quote": 400.0,
        "source": "rest",
        "repeat": 0,
        "raw": None,
        **change,
    }


def frame(spark: SparkSession, rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Return ``rows`` with the columns of the sources."""
    return spark.createDataFrame(list(rows), CANDLES)
