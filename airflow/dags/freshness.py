"""Watches how fresh every asset is, apart from the runs that make them.

Every fifteen minutes each asset's newest fact is held against its limit: its newest event, or the
newest stored candles against those of the exchange. So a data set is noticed that nobody refreshed:
whose DAG is paused, never ran, or stopped short. The states are in `freshness`; an asset that is
overdue raises one alert, resolved when it is fresh again, and the task `all_fresh` is red meanwhile.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException

from pipeline import assets
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults

EVENTS_READ = 20
"""Newest events of an asset that are read: enough to find one of the interval of the signals."""

WATCHED = assets.ALL

with DAG(
    "freshness",
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    doc_md=__doc__,
    **dag_defaults("quality"),
):

    @task(inlets=[*WATCHED])
    def check(*, inlet_events, ti) -> dict:
        """Judge every asset, store the states, raise and resolve alerts; return what is overdue and why."""
        from datetime import timedelta

        from cryptobot.decisions.operational import stale_data
        from cryptobot.storage.candle_freshness import candle_facts
        from cryptobot.storage.freshness import EXPECTATIONS, Event, Facts
        from cryptobot.storage.freshness import check as check_freshness

        settings = product_settings()
        asked = settings.promotion == "approval"
        events = {
            asset.name: [
                Event(event.timestamp, event.extra or {})
                for event in inlet_events[asset].ascending(False).limit(EVENTS_READ)
            ]
            for asset in WATCHED
        }
        dags = {expectation.dag for expectation in EXPECTATIONS}
        grace = next(each.limit for each in EXPECTATIONS if each.source == "candles")
        with product_database() as database:
            facts = Facts(
                events=events,
                candles=candle_facts(settings, database, grace),
                signal_interval=settings.signal_interval,
                paused=frozenset(dag for dag in dags if ti.get_dag(dag).is_paused),
                retrained_every=timedelta(days=settings.retrain_after_days),
                patience=timedelta(hours=settings.approval_hours if asked else 0),
            )
            states = check_freshness(database, facts)
            overdue = stale_data(database, states)
        for state in states:
            print(f"{state['_id']}: {state['state']}: {state['why']}")
        return {state["_id"]: state["why"] for state in states if state["_id"] in overdue}

    @task(retries=0, on_failure_callback=None)
    def all_fresh(overdue: dict) -> None:
        """Be red while an asset is overdue. Its alert is raised already, so this raises none."""
        if overdue:
            raise AirflowFailException("; ".join(f"{asset}: {why}" for asset, why in overdue.items()))

    all_fresh(check())
