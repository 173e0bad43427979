"""Fills holes in the live data that are older than a minute, from the exchange.

The producer fills the holes that it notices. Every two minutes this looks for what nobody noticed: trade
ids that are not in `streaming_data`, and candles that have closed. They are recorded in `gaps`, read by
REST, stored with `source: "rest"`, and marked repaired, or absent at the source. It needs neither Kafka
nor a daemon, and may be repeated at any time. A run does a bounded amount of work; the next one goes on.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException

from pipeline.assets import LIVE_GAPS
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults

EVERY = timedelta(minutes=2)

with DAG(
    "live_gaps",
    schedule=DeltaTriggerTimetable(EVERY),
    doc_md=__doc__,
    **dag_defaults("live", deadline=timedelta(minutes=10)),
):

    @task(
        outlets=[LIVE_GAPS],
        retries=0,  # the next run goes on
        execution_timeout=timedelta(minutes=5),
        on_failure_callback=None,  # what stays missing is told by `streaming_data`, once
    )
    def repair(*, outlet_events) -> dict:
        """Find, record and fill the holes; fail when the exchange did not give what it was asked for."""
        from dataclasses import asdict

        from streaming.gap_repair import repair_gaps

        with product_database() as database:
            done = repair_gaps(product_settings(), database)
        if done.failures:
            raise AirflowFailException(
                f"{done.open} holes of the live data are open, and the exchange could not be read: "
                f"{done.failures[0]}; the next run asks again"
            )
        outlet_events[LIVE_GAPS].extra = asdict(done)
        return asdict(done)

    repair()
