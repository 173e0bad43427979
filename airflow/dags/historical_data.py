"""Candles that close in each UTC day, read by Spark into `historical_data` after the day has closed.

A partition is a UTC day, `YYYY-MM-DD`; a week's candle is of the Sunday that ends it, a month's of the
month's last day. What is older than two days comes from the exchange's
archive, the rest by REST. Days that are missing are made by Airflow's own backfill of this DAG, a
run a day (`airflow backfill create --dag-id historical_data --from-date ... --to-date ...`, both
days inclusive, or *Trigger > Backfill*); a long range is quicker by `historical_backfill`, one run
for all of it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronPartitionTimetable, PokeReturnValue, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from pipeline.connections import product_settings
from pipeline.defaults import FIRST_TICK_WITHIN, dag_defaults
from pipeline.ingestion import exchange_now, ingest

with DAG(
    "historical_data",
    # The tick is the day's own midnight, so that a backfill's first and last day are both inclusive.
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d", run_immediately=FIRST_TICK_WITHIN
    ),
    doc_md=__doc__,
    **dag_defaults("market", deadline=timedelta(hours=1)),
):

    @task.sensor(mode="reschedule", poke_interval=30, timeout=timedelta(minutes=30).total_seconds())
    def plan(*, dag_run) -> PokeReturnValue:
        """Wait until the partition's day has settled; return its spans for every configured pair."""
        from cryptobot.market.span import day_spans, dump_spans
        from pipeline.days import Day, NotADayError

        try:
            day = Day.of_key(dag_run.partition_key)
            settled = day.has_settled(exchange_now())
        except NotADayError as error:
            raise AirflowFailException(str(error)) from error
        settings = product_settings()
        spans = day_spans(settings.symbols, settings.intervals, day.key)
        if not spans:
            raise AirflowSkipException(
                f"No candle of {', '.join(settings.intervals)} closes on {day.key}; nothing to ask for"
            )
        return PokeReturnValue(settled, dump_spans(spans) if settled else None)

    ingest(plan())
