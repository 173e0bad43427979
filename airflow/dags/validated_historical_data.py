"""The Great Expectations checkpoint between `historical_data` and all that learns from it.

A critical failure stops the pipeline here and raises an alert; a warning passes and is shown.
The report is written to the Data Docs, which the API serves under `/quality/`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from pipeline.assets import HISTORICAL_DATA, QUALITY_REPORT, VALIDATED_HISTORICAL_DATA
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.events import announced, covered, partitions, whenever_made
from pipeline.quality import judged

with DAG(
    "validated_historical_data",
    schedule=whenever_made(HISTORICAL_DATA),
    doc_md=__doc__,
    **dag_defaults("market", "quality", deadline=timedelta(hours=1)),
):

    @task(inlets=[HISTORICAL_DATA], outlets=[VALIDATED_HISTORICAL_DATA, QUALITY_REPORT])
    def checkpoint(*, triggering_asset_events, outlet_events) -> None:
        """Validate the candles that the triggering runs wrote; block on a critical failure."""
        from expectations.checkpoint import run_checkpoint

        events = announced(triggering_asset_events)
        with product_database() as database:
            results = [
                run_checkpoint(product_settings(), database, report_id=event["report"]) for event in events
            ]
        for asset in (VALIDATED_HISTORICAL_DATA, QUALITY_REPORT):
            outlet_events[asset].add_partitions(partitions(triggering_asset_events))
            outlet_events[asset].extra = {
                **judged(results),
                **covered(events),
            }

    checkpoint()
