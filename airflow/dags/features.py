"""Features of each closed candle, computed by Spark from validated candles.

Of the candles that were validated, those whose interval is in `CRYPTOBOT_INTERVALS` get features.
What was made is checked, and a critical failure stops the pipeline here.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain, task
from airflow.sdk.exceptions import AirflowSkipException

from pipeline.assets import FEATURES, QUALITY_REPORT, VALIDATED_HISTORICAL_DATA
from pipeline.connections import product_database, product_settings, spark_job
from pipeline.defaults import dag_defaults
from pipeline.events import REPORT, announce, announced, covered, partitions, whenever_made
from pipeline.quality import judged

with DAG(
    "features",
    schedule=whenever_made(VALIDATED_HISTORICAL_DATA),
    doc_md=__doc__,
    **dag_defaults("learning", deadline=timedelta(hours=1)),
):

    @task
    def plan(*, triggering_asset_events) -> dict:
        """Return what was validated and is configured: ``symbols``, ``intervals``, ``from`` and ``to``.

        A pair's features read the other pair's candles too, so all pairs are made again with any of them.
        """
        validated = covered(announced(triggering_asset_events))
        settings = product_settings()
        intervals = [interval for interval in settings.intervals if interval in validated["intervals"]]
        if not intervals or not set(settings.symbols) & set(validated["symbols"]):
            raise AirflowSkipException(
                f"No features are made of {', '.join(validated['symbols'])} at "
                f"{', '.join(validated['intervals'])}: CRYPTOBOT_SYMBOLS and CRYPTOBOT_INTERVALS "
                "do not ask for them"
            )
        return validated | {"symbols": list(settings.symbols), "intervals": intervals}

    @task(outlets=[QUALITY_REPORT])
    def checkpoint(report_id: str, *, triggering_asset_events, outlet_events) -> dict:
        """Validate the features that the job wrote; block on a critical failure."""
        from expectations.checkpoint import run_features_checkpoint

        with product_database() as database:
            outcome = judged([run_features_checkpoint(product_settings(), database, report_id)])
        outlet_events[QUALITY_REPORT].add_partitions(partitions(triggering_asset_events))
        outlet_events[QUALITY_REPORT].extra = outcome
        return outcome

    @task(outlets=[FEATURES])
    def publish(
        report_id: str, planned: dict, quality: dict, *, triggering_asset_events, outlet_events
    ) -> dict:
        """Announce the features of the days whose candles were validated, with what the check found."""
        from datetime import datetime

        from cryptobot.storage.partitions import require_report

        with product_database() as database:
            report = require_report(database, report_id)
        bounds = (datetime.fromisoformat(planned["from"]), datetime.fromisoformat(planned["to"]))
        days = partitions(triggering_asset_events)
        extra = quality | announce(outlet_events, FEATURES, report, bounds, days)
        outlet_events[FEATURES].extra = extra
        return extra

    submit = spark_job(
        "features",
        "features",
        [
            "--symbols", "{{ ti.xcom_pull(task_ids='plan')['symbols'] | join(',') }}",
            "--intervals", "{{ ti.xcom_pull(task_ids='plan')['intervals'] | join(',') }}",
            "--start", "{{ ti.xcom_pull(task_ids='plan')['from'] }}",
            "--end", "{{ ti.xcom_pull(task_ids='plan')['to'] }}",
            "--report", REPORT,
        ],
        inlets=[VALIDATED_HISTORICAL_DATA],
    )  # fmt: skip
    planned = plan()
    quality = checkpoint(REPORT)
    chain(planned, submit, quality, publish(REPORT, planned, quality))
