"""Watches the daemons that carry the live feed through Kafka into `streaming_data`.

Airflow moves no message. Every 90 seconds the Kafka provider's sensors wait, all at once and in the
triggerer, for an event on each topic of the market and a heartbeat of each daemon. Then `health` looks at
consumer lag, dead letters, the age of events and missing trades, records the state in `service_health`
(`live_feed`) and raises one alert for one outage, resolved when all is well again. **Findings** are
skipped when there is nothing to find; one that is red says what is wrong and where to look. A feed that
is healthy is announced every five minutes, and its newest documents validated. What is missing for more
than a minute is filled by the DAG `live_gaps`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable, TaskGroup, TriggerRule, chain, task

from cryptobot.storage.live_health import DAEMONS, LOOKED_AT_EVERY
from pipeline import live
from pipeline.assets import QUALITY_REPORT, STREAMING_DATA, VALIDATED_STREAMING_DATA
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.quality import judged

with DAG(
    "streaming_data",
    schedule=DeltaTriggerTimetable(LOOKED_AT_EVERY),
    doc_md=__doc__,
    **dag_defaults("live", deadline=timedelta(minutes=10)),
):
    sensors = [*map(live.receives, live.TOPICS), *map(live.beats, DAEMONS)]

    @task.branch(trigger_rule=TriggerRule.ALL_DONE, retries=0, execution_timeout=timedelta(minutes=2))
    def health(*, ti) -> list[str]:
        """Judge the live path, record its state, raise or resolve its alert; choose what follows."""
        import logging
        from datetime import UTC, datetime

        from cryptobot.decisions.operational import recovered, unhealthy
        from cryptobot.storage.live_health import live_feed, record_live_feed
        from streaming.watch import look

        logging.getLogger("kafka").setLevel(logging.WARNING)  # a dozen lines for each connection
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[sensor.task_id for sensor in sensors], run_ids=[ti.run_id]
        )
        findings = {name: list(told) for name, told in live.silent(states.get(ti.run_id, {})).items()}
        with product_database() as database:
            last = live_feed(database)
            found = look(product_settings(), database, last["seen_at"] if last else None)
            for name, told in found.findings.items():
                findings[name] = [*findings.get(name, []), *told]
            record = record_live_feed(database, findings, found.detail, datetime.now(UTC))
            if findings:
                unhealthy(database, [sentence for told in findings.values() for sentence in told])
            else:
                recovered(database)
        ti.xcom_push("findings", findings)
        ti.xcom_push("detail", found.detail)
        for name, told in findings.items():
            print(f"{name}: {'; '.join(told)}")
        if findings:
            return [f"findings.{name}" for name in findings]
        return ["announce"] if record["announce"] else []

    @task(outlets=[STREAMING_DATA])
    def announce(*, outlet_events, ti) -> None:
        """Announce that live data arrive, whole and in time, with the figures."""
        outlet_events[STREAMING_DATA].extra = ti.xcom_pull(task_ids="health", key="detail")

    @task(
        inlets=[STREAMING_DATA],
        outlets=[VALIDATED_STREAMING_DATA, QUALITY_REPORT],
        on_failure_callback=None,  # the checks raise their alert themselves, once until they pass
    )
    def checkpoint(*, outlet_events) -> None:
        """Validate the newest live documents; block on a critical failure."""
        from expectations.checkpoint import run_streaming_checkpoint

        with product_database() as database:
            outcome = judged([run_streaming_checkpoint(product_settings(), database)])
        for asset in (VALIDATED_STREAMING_DATA, QUALITY_REPORT):
            outlet_events[asset].extra = outcome

    judgement = health()
    with TaskGroup("findings", tooltip="What is wrong: red when it is, skipped when not"):
        findings = [live.finding(name) for name in live.FINDINGS]
    sensors >> judgement >> findings
    chain(judgement, announce(), checkpoint())
