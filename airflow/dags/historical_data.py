"""Candles of the exchange by REST, read by Spark into `historical_data`: each day after it closes.

A partition is a UTC day. To make days again, or days of long ago, use `historical_backfill`, or
Airflow's own backfill on this DAG.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronPartitionTimetable, task

from pipeline.connections import product_settings
from pipeline.defaults import dag_defaults
from pipeline.ingestion import ingest

with DAG(
    "historical_data",
    schedule=CronPartitionTimetable(
        "5 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d", run_immediately=False
    ),
    doc_md=__doc__,
    **dag_defaults("market", deadline=timedelta(hours=1)),
):

    @task
    def plan(*, dag_run) -> str:
        """Return the spans of the partition's day for every configured pair and interval."""
        from cryptobot.market.span import day_spans, dump_spans

        settings = product_settings()
        return dump_spans(day_spans(settings.symbols, settings.intervals, dag_run.partition_key))

    ingest(plan())
