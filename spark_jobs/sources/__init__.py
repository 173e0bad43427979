"""Spark data sources: the exchange as something that Spark reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def register(spark: SparkSession) -> None:
    """Make ``format("binance")`` known to ``spark``."""
    from spark_jobs.sources.binance import BinanceSource

    spark.dataSource.register(BinanceSource)
