"""Every worker of the API serves the champions, proven by scoring through the API; else a roll-back.

Only a champion that no run has proven yet is rolled back, or one that a worker has quarantined. One that
was proven stays, and so does each while the API is away: the run fails, and says what to look at.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from pipeline.assets import CHAMPIONS, DEPLOYMENT
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.events import made, whenever_made

with DAG(
    "deployment",
    schedule=whenever_made(CHAMPIONS),
    doc_md=__doc__,
    **dag_defaults("serving", deadline=timedelta(minutes=15)),
):

    @task(inlets=[CHAMPIONS], outlets=[DEPLOYMENT], retries=0)
    def await_workers(*, dag_run, outlet_events) -> dict:
        """Wait until each worker reports the champions' versions, and score their known rows."""
        from cryptobot.serving.deployment import await_deployment

        with product_database() as database:
            served = await_deployment(database, product_settings())
        made(outlet_events, DEPLOYMENT, dag_run, {"served": served})
        return served

    await_workers()
