"""Which model of each pair serves: the newest challenger, where it is better than the champion."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from pipeline.assets import CHAMPIONS, MODELS
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.events import whenever_made

with DAG(
    "champions",
    schedule=whenever_made(MODELS),
    doc_md=__doc__,
    **dag_defaults("serving", deadline=timedelta(minutes=30)),
):

    @task(inlets=[MODELS], outlets=[CHAMPIONS])
    def promote(*, outlet_events) -> dict:
        """Hold each pair's newest challenger against its champion, and record why either serves."""
        from cryptobot.serving.promotion import promote_challengers

        settings = product_settings()
        with product_database() as database:
            decisions = promote_challengers(
                database, settings.symbols, timedelta(days=settings.model_max_age_days)
            )
        outlet_events[CHAMPIONS].extra = {"decisions": decisions}
        return decisions

    promote()
