"""Watches the daemons that carry the live feed through Kafka into `streaming_data`.

Airflow moves no message. Every five minutes the Kafka provider's sensors wait, deferred, for a
fresh heartbeat of each daemon; then lag, age and counts are judged and the newest documents are
validated. A daemon that is silent turns the run red and raises an alert.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.apache.kafka.sensors.kafka import AwaitMessageSensor
from airflow.sdk import DAG, CronTriggerTimetable, chain, task
from airflow.sdk.exceptions import AirflowFailException

from cryptobot.market import topics
from pipeline.assets import QUALITY_REPORT, STREAMING_DATA, VALIDATED_STREAMING_DATA
from pipeline.connections import KAFKA, product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.quality import judged

SILENCE_LIMIT = timedelta(minutes=2)

with DAG(
    "streaming_data",
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    doc_md=__doc__,
    **dag_defaults("live", deadline=timedelta(minutes=10)),
):
    heartbeats = [
        AwaitMessageSensor(
            task_id=f"{service}_heartbeat",
            kafka_config_id=KAFKA,
            topics=[topics.HEARTBEAT],
            apply_function="streaming.watch.fresh_heartbeat",
            apply_function_kwargs={"service": service, "max_age_s": 30},
            poll_interval=0.1,
            commit_offset=False,
            timeout=SILENCE_LIMIT.total_seconds(),
            execution_timeout=SILENCE_LIMIT,
            retries=0,
        )
        for service in ("producer", "sink")
    ]

    @task(outlets=[STREAMING_DATA], retries=0)
    def health(*, outlet_events) -> dict:
        """Judge consumer lag, the age of the newest event and the gaps; fail when unhealthy."""
        from streaming.watch import stream_health

        with product_database() as database:
            found = stream_health(product_settings(), database)
        if not found["healthy"]:
            raise AirflowFailException(f"The live feed is unhealthy: {'; '.join(found['problems'])}")
        outlet_events[STREAMING_DATA].extra = found
        return found

    @task(inlets=[STREAMING_DATA], outlets=[VALIDATED_STREAMING_DATA, QUALITY_REPORT])
    def checkpoint(*, outlet_events) -> None:
        """Validate the newest live documents; block on a critical failure."""
        from expectations.checkpoint import run_streaming_checkpoint

        with product_database() as database:
            outcome = judged([run_streaming_checkpoint(product_settings(), database)])
        for asset in (VALIDATED_STREAMING_DATA, QUALITY_REPORT):
            outlet_events[asset].extra = outcome

    # One after the other: the topic has one partition, which only one sensor of a group can read.
    chain(*heartbeats, health(), checkpoint())
