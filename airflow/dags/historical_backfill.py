"""Candles of any range, read by one Spark run into `historical_data`.

Trigger it with a form: pairs, intervals, first and last day (UTC). Without days, each interval
reaches back as far as the product's settings say. The same range twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, PartitionedAtRuntime, task

from cryptobot.market import Interval
from cryptobot.settings import settings
from pipeline.connections import product_settings
from pipeline.defaults import dag_defaults
from pipeline.ingestion import ingest

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
            title="Pairs",
            description="As the exchange writes them, one a line: BTCUSDT",
        ),
        "intervals": Param(
            list(settings().intervals),
            type="array",
            items={"enum": [interval.value for interval in Interval]},
            minItems=1,
            title="Intervals",
        ),
        "from": Param(
            None,
            type=["null", "string"],
            format="date",
            title="First day (UTC)",
            description="Empty: as far back as the settings say",
        ),
        "to": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Last day (UTC), inclusive",
            description="Empty: up to now",
        ),
    },
    **dag_defaults("market", deadline=timedelta(hours=6)),
):

    @task
    def plan(*, params) -> str:
        """Return the spans that the form asks for, up to the exchange's present."""
        from cryptobot.exchange.rest import RestClient
        from cryptobot.market.span import dump_spans, requested_spans

        configured = product_settings()
        with RestClient(configured.rest_url) as exchange:
            now = exchange.server_time()
        return dump_spans(
            requested_spans(
                params["symbols"],
                params["intervals"],
                now,
                configured.history_days,
                configured.history_days_1m,
                first_day=params["from"],
                last_day=params["to"],
            )
        )

    ingest(plan())
