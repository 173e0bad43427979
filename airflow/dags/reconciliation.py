"""Each day's live candles, held against what the exchange says of the day once it is over.

A partition is a UTC day; to make days again, clear their runs or use Airflow's own backfill. What
never arrived live is put into `streaming_data` from REST and recorded in `gaps`. What history lacks,
and recorded holes that the exchange can fill by now, are read by the one job that writes history;
without any, no Spark is started. Differences are listed in `reconciliations`; a live candle that
differs from the exchange's is a critical failure of the checkpoint. Once its cause is known, make the
day again with "Replace live candles that differ".
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronPartitionTimetable, Param, PokeReturnValue, TriggerRule, chain, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from pipeline.assets import HISTORICAL_DATA, RECONCILIATION, STREAMING_DATA
from pipeline.connections import product_database, product_settings, spark_job
from pipeline.defaults import FIRST_TICK_WITHIN, dag_defaults
from pipeline.events import REPORT
from pipeline.ingestion import exchange_now, publish
from pipeline.quality import judged

AFTER_MIDNIGHT = timedelta(minutes=30)
"""By then the day's partition of `historical_data` is made, and what arrived late has arrived."""

with DAG(
    "reconciliation",
    # The tick is the day's own midnight, so that a backfill's first and last day are both inclusive.
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d", run_immediately=FIRST_TICK_WITHIN
    ),
    doc_md=__doc__,
    params={
        "replace_differing": Param(
            False,
            type="boolean",
            title="Replace live candles that differ",
            description="Put the exchange's present values in their place; both are kept in corrections",
        ),
    },
    **dag_defaults("market", "live", deadline=timedelta(hours=1)),
):

    @task.sensor(mode="reschedule", poke_interval=60, timeout=timedelta(hours=1).total_seconds())
    def day(*, dag_run) -> PokeReturnValue:
        """Wait until the partition's day has been over for a while; return it."""
        from cryptobot.market.instant import parse_instant
        from pipeline.days import Day, NotADayError

        now = exchange_now()
        try:
            key = Day.of_key(dag_run.partition_key)
            settled = key.has_settled(now)
        except NotADayError as error:
            raise AirflowFailException(str(error)) from error
        over = settled and now >= parse_instant(key.key) + timedelta(days=1) + AFTER_MIDNIGHT
        return PokeReturnValue(over, key.key if over else None)

    @task(inlets=[STREAMING_DATA, HISTORICAL_DATA])
    def compare(day: str, *, params) -> dict:
        """Compare the day's live candles with the exchange's, and put in what never arrived."""
        from cryptobot.storage.reconciliation import reconcile, summary

        with product_database() as database:
            return summary(
                reconcile(product_settings(), database, day, replace_differing=params["replace_differing"])
            )

    @task
    def plan(found: dict) -> str:
        """Return the spans that history is to be read again for; skip what follows without any."""
        if found["ask"] == "[]":
            raise AirflowSkipException("History lacks nothing that the exchange has; nothing to ask for")
        return found["ask"]

    @task(outlets=[RECONCILIATION], trigger_rule=TriggerRule.NONE_FAILED)
    def checkpoint(day: str, *, outlet_events) -> dict:
        """Judge the day as it is now; a live candle that differs from the exchange's blocks.

        The day is compared anew, so that after a repair this task alone is to be cleared.
        """
        from cryptobot.storage.reconciliation import reconcile, summary

        settings = product_settings()
        with product_database() as database:
            outcome = summary(reconcile(settings, database, day))
            if outcome["state"] != "no live data":
                from expectations.checkpoint import run_reconciliation_checkpoint

                outcome |= judged([run_reconciliation_checkpoint(settings, database, day)])
        outlet_events[RECONCILIATION].extra = outcome
        return outcome

    submit = spark_job(
        "historical_data",
        "historical_data",
        ["--spans", "{{ ti.xcom_pull(task_ids='plan') }}", "--report", REPORT, "--source", "rest"],
    )
    closed = day()
    found = compare(closed)
    chain(found, plan(found), submit, publish(REPORT, other_days=True), checkpoint(closed))
