"""Which pairs the exchange trades, with their filters: read once a day."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronPartitionTimetable, chain, task

from pipeline.assets import EXCHANGE_INFO, QUALITY_REPORT
from pipeline.connections import product_database, product_settings
from pipeline.defaults import FIRST_TICK_WITHIN, dag_defaults
from pipeline.ingestion import exchange_info
from pipeline.quality import judged

with DAG(
    "exchange_info",
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", key_format="%Y-%m-%d", run_immediately=FIRST_TICK_WITHIN
    ),
    doc_md=__doc__,
    **dag_defaults("market", deadline=timedelta(minutes=15)),
):

    @task(inlets=[EXCHANGE_INFO], outlets=[QUALITY_REPORT])
    def checkpoint(*, outlet_events) -> None:
        """Check that what is known of each pair is fresh, and has the filters that trading goes by."""
        from expectations.checkpoint import run_exchange_info_checkpoint

        with product_database() as database:
            outcome = judged([run_exchange_info_checkpoint(product_settings(), database)])
        outlet_events[QUALITY_REPORT].extra = outcome

    chain(exchange_info(), checkpoint())
