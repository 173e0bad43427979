"""Candles of any range, read by **one** Spark run into `historical_data`, whatever its length.

Trigger it with the form. The same range twice changes nothing: each candle has its own key, and one
that the exchange has corrected replaces what is stored. What is built from the candles follows by
itself: one validation, one build of the features, and training when the range holds candles of the
interval that signals are made on.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, PartitionedAtRuntime, task
from airflow.sdk.exceptions import AirflowFailException

from cryptobot.market import Interval
from cryptobot.settings import settings
from pipeline.connections import product_settings
from pipeline.defaults import dag_defaults
from pipeline.ingestion import exchange_now, ingest

with DAG(
    "historical_backfill",
    schedule=PartitionedAtRuntime(),
    doc_md=__doc__,
    params={
        "symbols": Param(
            list(settings().symbols),
            type="array",
            items={"type": "string", "pattern": "^[A-Z0-9]{5,20}$"},
            minItems=1,
            uniqueItems=True,
            title="Pairs",
            description="One a line, as the exchange writes them: BTCUSDT. Each must be trading.",
        ),
        "intervals": Param(
            list(settings().intervals),
            type="array",
            examples=[interval.value for interval in Interval],
            items={"type": "string", "enum": [interval.value for interval in Interval]},
            minItems=1,
            uniqueItems=True,
            title="Intervals",
            description="Lengths of the candles. Features are built for those in CRYPTOBOT_INTERVALS: "
            + ", ".join(settings().intervals),
        ),
        "from": Param(
            None,
            type=["null", "string"],
            format="date",
            title="First day (UTC)",
            description=f"Empty: as far back as the settings say: {settings().history_days} days "
            f"({settings().history_days_1m} of one-minute candles)",
        ),
        "to": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Last day (UTC), inclusive",
            description="Empty: up to the last candle that has closed",
        ),
        "source": Param(
            "auto",
            type="string",
            enum=["auto", "archive", "rest"],
            values_display={
                "auto": "auto: the archive for what is older than two days, REST for the rest",
                "archive": "archive: the published files alone; a missing one is an error",
                "rest": "rest: the exchange's REST API alone",
            },
            title="Source",
            description="Where the candles come from. The archive is the quicker for long ranges.",
        ),
        "overwrite": Param(
            False,
            type="boolean",
            title="Overwrite",
            description="Off: candles that are stored already stay, unless the exchange has corrected them. "
            "On: the range becomes exactly what the source has; every candle is written anew, and stored "
            "ones that the source does not have are removed. Each change is logged in corrections.",
        ),
    },
    **dag_defaults("market", deadline=timedelta(hours=6)),
):

    @task
    def plan(*, params) -> str:
        """Return the spans that the form asks for, up to the exchange's present."""
        from cryptobot.market.span import dump_spans, requested_spans
        from pipeline.days import check_range

        configured = product_settings()
        now = exchange_now()
        try:
            check_range(params["from"], params["to"], now)
            spans = requested_spans(
                params["symbols"],
                params["intervals"],
                now,
                configured.history_days,
                configured.history_days_1m,
                first_day=params["from"],
                last_day=params["to"],
            )
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        return dump_spans(spans)

    ingest(plan(), "{{ params.source }}", "{{ '--overwrite' if params.overwrite else '' }}")
