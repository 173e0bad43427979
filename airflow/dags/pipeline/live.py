"""How the live feed is watched: sensors that wait in the triggerer, and findings that are red."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.apache.kafka.sensors.kafka import AwaitMessageSensor
from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferralError
from airflow.triggers.base import StartTriggerArgs

from cryptobot.market import topics
from cryptobot.storage.live_health import (
    CONSUMERS_ARE_BEHIND,
    DAEMON_IS_SILENT,
    DAEMONS,
    DEAD_LETTERS_ARRIVED,
    EVENTS_ARE_OLD,
    GAPS_STAY_OPEN,
    KAFKA_IS_AWAY,
    TOPIC_IS_SILENT,
    TRADES_ARE_MISSING,
)

WITHIN = timedelta(seconds=30)
"""How long each sensor waits. Daemons beat every five seconds, and the exchange sends more often."""

_TRIGGERER_ANSWERS_WITHIN = timedelta(seconds=75)

TOPICS = {"trades": topics.TRADES, "klines": topics.KLINES, "tickers": topics.TICKERS}

FINDINGS = {
    TOPIC_IS_SILENT: "A topic of the market receives nothing.",
    DAEMON_IS_SILENT: "A daemon does not beat, or reports a problem.",
    KAFKA_IS_AWAY: "Kafka does not answer.",
    CONSUMERS_ARE_BEHIND: "Messages wait for longer than a minute to be handled.",
    DEAD_LETTERS_ARRIVED: "Messages were put aside because they are broken.",
    EVENTS_ARE_OLD: "The newest event of a symbol is old.",
    TRADES_ARE_MISSING: "Trade ids are missing, and were not repaired.",
    GAPS_STAY_OPEN: "Recorded holes are not repaired.",
}
"""What can be wrong, each a task that is red when it is, and skipped when not."""


def connection(watched: str) -> str:
    """Return the Kafka connection by which a topic or daemon is watched.

    Each has its own: sensors of one consumer group would wait for each other, for a topic of one
    partition is read by one of them at a time.
    """
    return f"kafka_watch_{watched}"


class FreshMessageSensor(AwaitMessageSensor):
    """Waits in the triggerer for a message; it takes a worker only to say that none came.

    Parameters
    ----------
    missing
        What it means, and what to do, when nothing comes; the failure's sentence.
    """

    start_from_trigger = True

    def __init__(self, *, missing: str, **sensor: Any) -> None:
        super().__init__(timeout=WITHIN.total_seconds(), retries=0, commit_offset=False, **sensor)
        self.missing = missing
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="streaming.await_message.AwaitMessageInTime",
            trigger_kwargs={
                "topics": list(self.topics),
                "apply_function": self.apply_function,
                "apply_function_kwargs": dict(self.apply_function_kwargs or {}),
                "kafka_config_id": self.kafka_config_id,
                "within_s": WITHIN.total_seconds(),
            },
            next_method="execute_complete",
            timeout=_TRIGGERER_ANSWERS_WITHIN,
        )

    def execute_complete(self, context: Any, event: Mapping[str, str] | None = None) -> None:
        """Fail: a message would have ended the task without a worker."""
        reason = (event or {}).get("missing", "the trigger gave no reason")
        raise AirflowFailException(f"{self.missing} ({reason})")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Say clearly what it means when the trigger itself failed."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, AirflowSensorTimeout) as error:
            raise AirflowFailException(
                f"{self.missing} (Airflow's triggerer could not tell: {error}; see the logs above, "
                "then make logs SERVICE=airflow-triggerer)"
            ) from error


def receives(name: str) -> FreshMessageSensor:
    """Return the sensor of a topic of the market: it receives events."""
    return FreshMessageSensor(
        task_id=f"{name}_arrive",
        doc_md=f"The topic `{TOPICS[name]}` receives events.",
        kafka_config_id=connection(name),
        topics=[TOPICS[name]],
        apply_function="streaming.watch.fresh_message",
        apply_function_kwargs={"max_age_s": 60},
        missing=f"{TOPICS[name]} receives nothing; look at make logs SERVICE=producer",
        **_WAITING,
    )


def beats(service: str) -> FreshMessageSensor:
    """Return the sensor of a daemon: its heartbeat comes through Kafka and reports no problem."""
    return FreshMessageSensor(
        task_id=f"{service}_beats",
        doc_md=f"The {service} beats every five seconds on `{topics.HEARTBEAT}`.",
        kafka_config_id=connection(service),
        topics=[topics.HEARTBEAT],
        apply_function="streaming.watch.fresh_heartbeat",
        apply_function_kwargs={"service": service, "max_age_s": 30},
        missing=(
            f"The {service} does not beat, or reports a problem; look at make status, "
            f"then make logs SERVICE={service}"
        ),
        **_WAITING,
    )


_WAITING: dict[str, Any] = {
    "execution_timeout": _TRIGGERER_ANSWERS_WITHIN,
    "on_failure_callback": None,  # one alert tells of all that is wrong; the task `health` raises it
}


def finding(name: str):
    """Return the task that is red when the check ``name`` found something, with what it found."""

    @task(
        task_id=name,
        doc_md=FINDINGS[name],
        retries=0,
        execution_timeout=timedelta(minutes=2),
        on_failure_callback=None,  # the task `health` has raised the alert
    )
    def tell(health: Mapping[str, Any] | None = None, *, ti) -> None:
        findings = ti.xcom_pull(task_ids="health", key="findings") or {}
        raise AirflowFailException("; ".join(findings.get(name, [FINDINGS[name]])))

    return tell()


def silent(states: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """Return the findings of the sensors, by the states of their tasks."""
    told = {
        TOPIC_IS_SILENT: [
            f"{topic} receives nothing"
            for name, topic in TOPICS.items()
            if states.get(f"{name}_arrive") != "success"
        ],
        DAEMON_IS_SILENT: [
            f"the {service} does not beat through Kafka, or reports a problem"
            for service in DAEMONS
            if states.get(f"{service}_beats") != "success"
        ],
    }
    return {name: sentences for name, sentences in told.items() if sentences}
