"""Spark data sources: the exchange, and its archive, as something that Spark reads."""

from __future__ import annotations

from pyspark.sql import SparkSession

from spark_jobs.sources.binance import BinanceSource
from spark_jobs.sources.binance_archive import BinanceArchiveSource


def register(spark: SparkSession) -> None:
    """Make ``format("binance")`` and ``format("binance_archive")`` known to ``spark``."""
    spark.dataSource.register(BinanceSource)
    spark.dataSource.register(BinanceArchiveSource)
