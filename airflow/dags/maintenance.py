"""Removes what is no longer kept (`CRYPTOBOT_RETENTION_*`): once a day, in small batches.

Documents past their retention, bundles of superseded models, pages of old quality reports and log
files of old task runs. What was removed is in the task `summary` and in `job_reports`. Trigger it with
"Only count" to see what would go. Candles of history are kept for ever unless configured otherwise.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, task

from pipeline.connections import product_database, product_settings
from pipeline.defaults import FIRST_TICK_WITHIN, dag_defaults
from pipeline.events import REPORT

with DAG(
    "maintenance",
    schedule=CronTriggerTimetable("40 3 * * *", timezone="UTC", run_immediately=FIRST_TICK_WITHIN),
    doc_md=__doc__,
    params={
        "dry_run": Param(
            False,
            type="boolean",
            title="Only count",
            description="Say what would be removed, and remove nothing",
        ),
    },
    **dag_defaults("operations", deadline=timedelta(hours=2)),
):

    @task
    def documents(*, params) -> dict:
        """Remove documents past their retention; return how many of each kind."""
        from cryptobot.storage.retention import prune, rules

        with product_database() as database:
            return {
                rule.name: prune(database, rule, dry_run=params["dry_run"])
                for rule in rules(product_settings())
            }

    @task
    def bundles(*, params) -> dict:
        """Remove the bundles of superseded models; never a champion's, or the one before it."""
        from cryptobot.serving.retention import prune_bundles

        with product_database() as database:
            keep = product_settings().retention_models
            return {"model bundles": len(prune_bundles(database, keep, dry_run=params["dry_run"]))}

    @task
    def reports(*, params) -> dict:
        """Remove the pages of old quality reports, and the results that they show."""
        from expectations.context import one_run, prune

        settings = product_settings()
        if not params["dry_run"]:
            with one_run(settings):  # nobody builds pages meanwhile
                prune(settings)
        return {}

    @task
    def logs(*, params) -> dict:
        """Remove the log files of old task runs."""
        from pathlib import Path

        from airflow.sdk.configuration import conf

        from cryptobot.storage.log_files import prune_logs

        days = product_settings().retention_task_logs
        if days == "forever":
            return {"task logs": 0}
        folder = Path(conf.get("logging", "base_log_folder"))
        return {"task logs": prune_logs(folder, days, dry_run=params["dry_run"])}

    @task
    def summary(report_id: str, found: list[dict], *, params, dag_run) -> dict:
        """Store what was removed as a report in `job_reports`."""
        from cryptobot.storage.job_reports import save_report
        from cryptobot.storage.retention import report

        removed = {name: count for part in found for name, count in part.items()}
        told = report(report_id, removed, dag_run.start_date, dry_run=params["dry_run"])
        if not params["dry_run"]:
            with product_database() as database:
                save_report(database, told)
        return removed

    summary(REPORT, [documents(), bundles(), reports(), logs()])
