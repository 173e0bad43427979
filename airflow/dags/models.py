"""A random forest and XGBoost per pair, trained by Spark and judged by a purged walk-forward.

Features, drift or age of a champion start it, whichever is made first (`FEATURES | DRIFT_DETECTED |
MODELS_AGED`). It trains when there are new candles of `CRYPTOBOT_SIGNAL_INTERVAL` on the last of
`CRYPTOBOT_RETRAIN_AFTER_DAYS` days, or before that where a champion has drifted or aged; when candles
were made again that models know; and when it is triggered by hand. What the newest models have learned
already is no cause: the same candles make the same models. A run without cause is skipped and says why.

The best of each pair becomes its challenger; whether it serves is decided by `champions`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, chain, task
from airflow.sdk.exceptions import AirflowSkipException

from cryptobot.market import Interval
from cryptobot.settings import settings
from pipeline.assets import BACKTESTS, DRIFT_DETECTED, FEATURES, MODELS, MODELS_AGED
from pipeline.connections import product_database, product_settings, spark_job
from pipeline.defaults import dag_defaults
from pipeline.events import REPORT, announced, covered, reasons_asked, whenever_made

with DAG(
    "models",
    schedule=whenever_made(FEATURES | DRIFT_DETECTED | MODELS_AGED),
    doc_md=__doc__,
    **dag_defaults("learning", deadline=timedelta(hours=3)),
):

    @task
    def plan(*, triggering_asset_events, ti) -> str:
        """Return the instant up to which the models may know the market, ISO; be skipped without cause.

        Models learn from candles of one interval; features of others are nothing new to them. When days
        of long ago were made or repaired, models learn from them together with all that came after.
        """
        from cryptobot.features import FEATURE_SET
        from cryptobot.serving.retraining import learned_until, reason_to_train
        from cryptobot.storage.features import known_until

        events = announced(triggering_asset_events)
        made, asked = [event for event in events if "intervals" in event], reasons_asked(events)
        settings = product_settings()
        interval = settings.signal_interval
        fresh = covered([event for event in made if interval in event["intervals"]])
        if made and not fresh and not asked:
            intervals = covered(made)["intervals"]
            raise AirflowSkipException(
                f"Features were made of {', '.join(intervals)}; models learn from {interval} "
                "(CRYPTOBOT_SIGNAL_INTERVAL): there is nothing new to train on"
            )
        with product_database() as database:
            known = known_until(database, settings.symbols, Interval(interval), FEATURE_SET.version)
            learned = learned_until(database, settings.symbols)
        until = max(filter(None, [known, fresh and datetime.fromisoformat(fresh["to"])]), default=None)
        train, why = reason_to_train(
            datetime.fromisoformat(fresh["from"]) if fresh else None,
            asked,
            until,
            learned,
            timedelta(days=settings.retrain_after_days),
        )
        if not train or until is None:
            raise AirflowSkipException(f"Nothing is trained: {why}")
        ti.xcom_push("because", why)
        return until.isoformat()

    @task(outlets=[MODELS, BACKTESTS])
    def publish(report_id: str, as_of: str, *, outlet_events, ti) -> dict:
        """Announce the challengers with their figures out of sample, and their backtests."""
        from cryptobot.storage.partitions import require_report

        with product_database() as database:
            report = require_report(database, report_id)
        extra = {
            "report": report_id,
            "challengers": report["challengers"],
            "failures": report["failures"],
            "because": ti.xcom_pull(task_ids="plan", key="because"),
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
        inlets=[FEATURES, DRIFT_DETECTED, MODELS_AGED],
    )  # fmt: skip
    as_of = plan()
    chain(as_of, submit, publish(REPORT, as_of))
