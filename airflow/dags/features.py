"""Features of each closed candle, computed by Spark from validated candles."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain, task

from cryptobot.settings import settings
from pipeline.assets import FEATURES, VALIDATED_HISTORICAL_DATA
from pipeline.connections import product_database, spark_job
from pipeline.defaults import dag_defaults
from pipeline.events import REPORT, announce, announced, covered, partitions, whenever_made

with DAG(
    "features",
    schedule=whenever_made(VALIDATED_HISTORICAL_DATA),
    doc_md=__doc__,
    **dag_defaults("learning", deadline=timedelta(hours=1)),
):

    @task
    def plan(*, triggering_asset_events) -> dict:
        """Return the range of candles that was validated: ``from`` and ``to``, ISO, half open."""
        return covered(announced(triggering_asset_events))

    @task(outlets=[FEATURES])
    def publish(report_id: str, validated: dict, *, triggering_asset_events, outlet_events) -> dict:
        """Announce the features of the days whose candles were validated."""
        from datetime import datetime

        from cryptobot.storage.partitions import require_report

        with product_database() as database:
            report = require_report(database, report_id)
        bounds = (datetime.fromisoformat(validated["from"]), datetime.fromisoformat(validated["to"]))
        return announce(outlet_events, FEATURES, report, bounds, partitions(triggering_asset_events))

    submit = spark_job(
        "features",
        "features",
        [
            "--symbols", ",".join(settings().symbols),
            "--intervals", settings().signal_interval,
            "--start", "{{ ti.xcom_pull(task_ids='plan')['from'] }}",
            "--end", "{{ ti.xcom_pull(task_ids='plan')['to'] }}",
            "--report", REPORT,
        ],
        inlets=[VALIDATED_HISTORICAL_DATA],
    )  # fmt: skip
    validated = plan()
    chain(validated, submit, publish(REPORT, validated))
