"""The tasks that take candles from the exchange into ``historical_data``, for a day or a range."""

from __future__ import annotations

from airflow.sdk import XComArg, chain, task
from airflow.sdk.exceptions import AirflowSkipException

from pipeline.assets import EXCHANGE_INFO, HISTORICAL_DATA
from pipeline.connections import product_database, product_settings, spark_job
from pipeline.events import REPORT, announce


@task(outlets=[EXCHANGE_INFO])
def exchange_info(*, outlet_events) -> None:
    """Store the exchange's description of each configured pair; fail when one is not trading."""
    from cryptobot.exchange.info import refresh_exchange_info

    with product_database() as database:
        found = refresh_exchange_info(product_settings(), database)
    outlet_events[EXCHANGE_INFO].extra = {**found, "fetched_at": found["fetched_at"].isoformat()}


def ingest(spans: XComArg) -> None:
    """Wire what surrounds the planning of ``spans``: the exchange's list, the Spark job, the proof."""
    submit = spark_job(
        "historical_data",
        "historical_data",
        ["--spans", "{{ ti.xcom_pull(task_ids='plan') }}", "--report", REPORT],
        inlets=[EXCHANGE_INFO],
    )
    chain(exchange_info(), spans, submit, publish(REPORT))


@task(outlets=[HISTORICAL_DATA])
def publish(report_id: str, *, dag_run, outlet_events) -> dict:
    """Announce each day that now holds candles, by the report that proves the job's counts.

    A range of which the exchange itself has no candle is nothing to announce: the run is skipped.
    """
    from cryptobot.storage.partitions import bounds, covered_spans, days_held, require_report

    with product_database() as database:
        report = require_report(database, report_id)
        spans = covered_spans(report)
        days = days_held(database, spans)
    if not days:
        raise AirflowSkipException("The exchange has no candle in this range; nothing was written")
    days = days if dag_run.partition_key is None else []
    return announce(outlet_events, HISTORICAL_DATA, report, bounds(spans), days)
