"""Which pairs the exchange trades, with their filters: read once a day."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronPartitionTimetable

from pipeline.defaults import dag_defaults
from pipeline.ingestion import exchange_info

with DAG(
    "exchange_info",
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", key_format="%Y-%m-%d", run_immediately=False
    ),
    doc_md=__doc__,
    **dag_defaults("market", deadline=timedelta(minutes=15)),
):
    exchange_info()
