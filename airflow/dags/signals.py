"""Buy and sell signals of the champions on the newest closed candles."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from pipeline.assets import DEPLOYMENT, FEATURES, SIGNALS
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.events import made, whenever_made

with DAG(
    "signals",
    schedule=whenever_made(DEPLOYMENT),
    doc_md=__doc__,
    **dag_defaults("serving", deadline=timedelta(minutes=15)),
):

    @task(inlets=[DEPLOYMENT, FEATURES], outlets=[SIGNALS])
    def score(*, dag_run, outlet_events) -> dict:
        """Score the newest closed candles of each pair; the same candle and model make no second signal."""
        from cryptobot.decisions.signals import write_batch_signals

        with product_database() as database:
            written = write_batch_signals(product_settings(), database)
        return made(outlet_events, SIGNALS, dag_run, written)

    score()
