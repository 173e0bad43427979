"""Whether the market, or what the champions make of it, has left what they were trained on.

It runs when features were made, and when champions have given their signals of them. Each champion's
last days are measured against the reference in its manifest: how its features are distributed, how its
predictions are, and how often its signals turned out so. A day's figures are in `drift`, and on the
dashboard's page Models.

A champion that has drifted raises the alert `model_drift`, which is resolved by itself, and makes the
asset `drift_detected`; one that has served for half of its time makes `models_aged`. Each of them starts
`models`, which trains where there is something new to learn.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, TriggerRule, chain, task
from airflow.sdk.exceptions import AirflowSkipException

from pipeline.assets import DRIFT, DRIFT_DETECTED, FEATURES, MODELS_AGED, SIGNALS
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.events import REPORT, ask, whenever_made

with DAG(
    "drift",
    schedule=whenever_made(FEATURES | SIGNALS),
    doc_md=__doc__,
    **dag_defaults("learning", deadline=timedelta(minutes=15)),
):

    @task(inlets=[FEATURES, SIGNALS], outlets=[DRIFT])
    def measure(*, outlet_events) -> dict:
        """Measure each champion, store its days, raise and resolve alerts; return what was found."""
        from cryptobot.decisions.model_drift import judge_drift
        from cryptobot.serving.drift import measure_champions, summary

        with product_database() as database:
            newest, unmeasured = measure_champions(database, product_settings().symbols)
            judge_drift(database, newest.values())
        for symbol, why in unmeasured.items():
            print(f"{symbol}: not measured: {why}")
        if not newest:
            raise AirflowSkipException("; ".join(unmeasured.values()))
        found = {symbol: summary(day) for symbol, day in newest.items()}
        outlet_events[DRIFT].add_partitions(max(told["day"] for told in found.values()))
        outlet_events[DRIFT].extra = {"measured": found, "unmeasured": unmeasured}
        return found

    @task(outlets=[DRIFT_DETECTED])
    def drifted(found: dict, report_id: str, *, outlet_events) -> list[str]:
        """Ask for a training where a champion has drifted; else be skipped."""
        reasons = [
            f"{told['version']} has drifted: {'; '.join(told['reasons'])}"
            for told in found.values()
            if told["drifted"]
        ]
        if not reasons:
            raise AirflowSkipException("No champion has drifted")
        return ask(outlet_events, DRIFT_DETECTED, report_id, reasons)

    @task(outlets=[MODELS_AGED], trigger_rule=TriggerRule.NONE_FAILED)
    def aged(report_id: str, *, outlet_events) -> list[str]:
        """Ask for a training where a champion has served for half of its time; else be skipped."""
        from cryptobot.market import Interval
        from cryptobot.serving.retraining import aged_champions

        settings = product_settings()
        limit = timedelta(days=settings.model_max_age_days)
        with product_database() as database:
            found = aged_champions(database, settings.symbols, Interval(settings.signal_interval), limit)
        if not found:
            raise AirflowSkipException("No champion has served for half of its time")
        return ask(outlet_events, MODELS_AGED, report_id, list(found.values()))

    found = measure()
    chain(found, [drifted(found, REPORT), aged(REPORT)])
