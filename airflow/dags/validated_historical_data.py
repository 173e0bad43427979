"""The Great Expectations checkpoint between `historical_data` and all that learns from it.

A critical failure stops the pipeline here and raises an alert; a warning passes and is shown.
The report is written to the Data Docs, which the API serves under `/quality/`. Ranges of more
candles than fit into memory are checked on Spark.

When a run is red: its message names the rows and the report. Repair the candles (most often by
`historical_backfill` of the day, with *Overwrite*), then **clear the task `checkpoint`** of the red run.
It checks the same range again, and what is built from it goes on by itself.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from pipeline.assets import HISTORICAL_DATA, QUALITY_REPORT, VALIDATED_HISTORICAL_DATA
from pipeline.defaults import dag_defaults
from pipeline.events import announced, covered, partitions, whenever_made
from pipeline.quality import judged, validated

with DAG(
    "validated_historical_data",
    schedule=whenever_made(HISTORICAL_DATA),
    doc_md=__doc__,
    **dag_defaults("market", "quality", deadline=timedelta(hours=1)),
):

    @task(inlets=[HISTORICAL_DATA], outlets=[VALIDATED_HISTORICAL_DATA, QUALITY_REPORT])
    def checkpoint(*, ti, triggering_asset_events, outlet_events) -> dict:
        """Validate the candles that the triggering runs wrote; block on a critical failure."""
        events = announced(triggering_asset_events)
        outcome = judged(validated([event["report"] for event in events], ti)) | covered(events)
        for asset in (VALIDATED_HISTORICAL_DATA, QUALITY_REPORT):
            outlet_events[asset].add_partitions(partitions(triggering_asset_events))
            outlet_events[asset].extra = outcome
        return outcome

    checkpoint()
