"""A random forest and XGBoost per pair, trained by Spark and judged by a purged walk-forward.

They are trained when features of `CRYPTOBOT_SIGNAL_INTERVAL` were made; else the run is skipped.
The best of each pair becomes its challenger; whether it serves is decided by `champions`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain, task
from airflow.sdk.exceptions import AirflowSkipException

from cryptobot.market import Interval
from cryptobot.settings import settings
from pipeline.assets import BACKTESTS, FEATURES, MODELS
from pipeline.connections import product_database, product_settings, spark_job
from pipeline.defaults import dag_defaults
from pipeline.events import REPORT, announced, covered, whenever_made

with DAG(
    "models",
    schedule=whenever_made(FEATURES),
    doc_md=__doc__,
    **dag_defaults("learning", deadline=timedelta(hours=3)),
):

    @task
    def plan(*, triggering_asset_events) -> str:
        """Return the instant up to which the models may know the market, ISO.

        Models learn from candles of one interval; features of others are nothing new to them. When days
        of long ago were made or repaired, models learn from them together with all that came after.
        """
        from cryptobot.features import FEATURE_SET
        from cryptobot.storage.features import known_until

        made = covered(announced(triggering_asset_events))
        symbols, interval = product_settings().symbols, product_settings().signal_interval
        if interval not in made["intervals"]:
            raise AirflowSkipException(
                f"Features were made of {', '.join(made['intervals'])}; models learn from {interval} "
                "(CRYPTOBOT_SIGNAL_INTERVAL): there is nothing new to train on"
            )
        with product_database() as database:
            known = known_until(database, symbols, Interval(interval), FEATURE_SET.version)
        return max(made["to"], known.isoformat() if known else "")

    @task(outlets=[MODELS, BACKTESTS])
    def publish(report_id: str, as_of: str, *, outlet_events) -> dict:
        """Announce the challengers with their figures out of sample, and their backtests."""
        from cryptobot.storage.partitions import require_report

        with product_database() as database:
            report = require_report(database, report_id)
        extra = {
            "report": report_id,
            "challengers": report["challengers"],
            "failures": report["failures"],
            "duration_s": round(report["duration_s"], 3),
        }
        for asset in (MODELS, BACKTESTS):
            outlet_events[asset].add_partitions(as_of[:10])
            outlet_events[asset].extra = extra
        return extra

    submit = spark_job(
        "models",
        "models",
        [
            "--symbols", ",".join(settings().symbols),
            "--interval", settings().signal_interval,
            "--as-of", "{{ ti.xcom_pull(task_ids='plan') }}",
            "--report", REPORT,
        ],
        inlets=[FEATURES],
    )  # fmt: skip
    as_of = plan()
    chain(as_of, submit, publish(REPORT, as_of))
