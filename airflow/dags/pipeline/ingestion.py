"""The tasks that take candles from the exchange into ``historical_data``, for a day or a range."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import XComArg, chain, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from cryptobot.spark.submission import JAVA_OPTIONS
from pipeline.assets import EXCHANGE_INFO, HISTORICAL_DATA
from pipeline.connections import product_database, product_settings, spark_job
from pipeline.events import REPORT, announce


def exchange_now() -> datetime:
    """Return the exchange's clock, by which days and candles close."""
    from cryptobot.exchange.rest import RestClient

    with RestClient(product_settings().rest_url) as exchange:
        return exchange.server_time()


@task(outlets=[EXCHANGE_INFO])
def exchange_info(spans: str | None = None, *, outlet_events) -> None:
    """Store the exchange's description of each pair of ``spans``, or of the configured ones.

    Fails for good when the exchange does not know one, or does not trade it: asking for its candles
    would be of no use, and asking again would not help.
    """
    from cryptobot.exchange.errors import SymbolsNotTradingError
    from cryptobot.exchange.info import refresh_exchange_info
    from cryptobot.market.span import load_spans

    asked = sorted({span.symbol for span in load_spans(spans)}) if spans else None
    try:
        with product_database() as database:
            found = refresh_exchange_info(product_settings(), database, asked)
    except SymbolsNotTradingError as error:
        refused = ", ".join(f"{symbol} ({status})" for symbol, status in sorted(error.statuses.items()))
        raise AirflowFailException(
            f"The exchange does not trade {refused}; no candle was asked for. Correct the pairs "
            "(CRYPTOBOT_SYMBOLS, or those of the form), or wait until it trades them again"
        ) from error
    outlet_events[EXCHANGE_INFO].extra = {**found, "fetched_at": found["fetched_at"].isoformat()}


def ingest(spans: XComArg, source: str = "auto", *more: str) -> None:
    """Wire what follows the planning of ``spans``: the check of the pairs, the Spark job, the proof.

    ``source`` and ``more`` (arguments of the job) may be templates; empty ones are left out.
    """
    submit = spark_job(
        "historical_data",
        "historical_data",
        ["--spans", "{{ ti.xcom_pull(task_ids='plan') }}", "--report", REPORT, "--source", source, *more],
        conf={JAVA_OPTIONS: "{{ java_options_of(ti.xcom_pull(task_ids='plan')) }}"},
        inlets=[EXCHANGE_INFO],
    )
    chain(exchange_info(spans), submit, publish(REPORT))


@task(outlets=[HISTORICAL_DATA])
def publish(report_id: str, *, other_days: bool = False, dag_run, outlet_events) -> dict:
    """Announce each day that now holds candles, by the report that proves the job's counts.

    A partition's own run announces the partition alone, unless what it read is of ``other_days``. A
    range of which the exchange itself has no candle is nothing to announce: the run is skipped.
    """
    from cryptobot.storage.partitions import bounds, covered_spans, days_held, require_report

    with product_database() as database:
        report = require_report(database, report_id)
        spans = covered_spans(report)
        days = days_held(database, spans)
    if not days:
        raise AirflowSkipException("The exchange has no candle in this range; nothing was written")
    named = days if dag_run.partition_key is None or other_days else []
    return announce(outlet_events, HISTORICAL_DATA, report, bounds(spans), named)
