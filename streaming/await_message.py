"""The Kafka provider's trigger, with an end of its own: tasks that wait for messages cost no process.

Airflow starts the trigger without a worker (``start_from_trigger``), and the message that it waits for
ends the task; only when none comes is a worker started, to say so. It is in this package because the
triggerer cannot import from the folder of the DAGs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent
from confluent_kafka import KafkaException

POLL_S = 0.2
"""All triggers share one thread for Kafka's blocking client: none may keep it for long."""


class AwaitMessageInTime(AwaitMessageTrigger):  # type: ignore[misc]  # the provider has no types
    """Ends its task with the first message that fits, or tells within ``within_s`` that none came.

    The event in the second case is ``{"missing": reason}``.
    """

    def __init__(
        self,
        *,
        topics: list[str],
        apply_function: str,
        apply_function_kwargs: dict[str, Any],
        kafka_config_id: str,
        within_s: float,
    ) -> None:
        super().__init__(
            topics=topics,
            apply_function=apply_function,
            apply_function_kwargs=apply_function_kwargs,
            kafka_config_id=kafka_config_id,
            poll_timeout=POLL_S,
            poll_interval=0,
            commit_offset=False,
        )
        self.within_s = within_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return how the triggerer makes the trigger again."""
        return (
            "streaming.await_message.AwaitMessageInTime",
            {
                "topics": self.topics,
                "apply_function": self.apply_function,
                "apply_function_kwargs": self.apply_function_kwargs,
                "kafka_config_id": self.kafka_config_id,
                "within_s": self.within_s,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the message; yields one event."""
        messages = super().run()
        try:
            async with asyncio.timeout(self.within_s):
                found = await anext(messages)
        except TimeoutError:
            joined = self._consumer is not None and bool(self._consumer.assignment())
            reason = "nothing that fits came" if joined else "Kafka did not answer"
            yield _missing(f"{reason} within {self.within_s:g} s")
        except (AirflowException, KafkaException) as error:
            yield _missing(f"{type(error).__name__}: {error}")
        else:
            yield TaskSuccessEvent(xcoms={"return_value": found.payload})
        finally:
            await messages.aclose()


def _missing(reason: str) -> TriggerEvent:
    return TriggerEvent({"missing": reason})  # type: ignore[no-untyped-call]
