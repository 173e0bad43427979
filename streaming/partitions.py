"""The partitions that a sink holds: how far each is safe, told to the group before it goes to another."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from cryptobot.market import topics
from streaming.broker import SINK_GROUP, connect_consumer

log = logging.getLogger(__name__)

COMMIT_S = 0.5
"""How often offsets are committed: what a killed sink wrote since is read again, to no effect."""
POLL_WITHIN_MS = 30_000
"""A sink that cannot write for so long gives its partitions to those that can."""
FETCH_WAIT_MS = 20
FETCH_BYTES = 64 * 1024
"""A fetch is answered when this much is there, or after the wait: batches rather than single messages."""


class Partitions(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """A consumer of the market's topics as one of the sink's group.

    The partitions of every topic are dealt out in turn, so that each sink has its part of the
    trades. Offsets are committed at intervals, and once more for each partition that is taken away,
    before its next owner asks where to begin.
    """

    def __init__(self, bootstrap: str, batch: int) -> None:
        self._safe: dict[TopicPartition, OffsetAndMetadata] = {}
        self._following: dict[TopicPartition, int] = {}
        self._committing: Any = None
        self._commit_due = 0.0
        self._refused = False
        self._consumer = connect_consumer(
            bootstrap,
            SINK_GROUP,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            max_poll_interval_ms=POLL_WITHIN_MS,
            max_poll_records=batch,
            fetch_min_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        self._consumer.subscribe(topics.MARKET, listener=self)

    def poll(self, timeout_ms: int) -> dict[TopicPartition, Sequence[Any]]:
        """Return the next records by partition; commits what is safe when that is due."""
        self.commit_when_due()
        polled: dict[TopicPartition, Sequence[Any]] = self._consumer.poll(timeout_ms=timeout_ms)
        for partition, records in polled.items():
            self._following[partition] = records[-1].offset + 1
        return polled

    def saved(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Take the records of a poll for safe, as all before them are."""
        for partition, records in polled.items():
            last = records[-1]
            self._safe[partition] = OffsetAndMetadata(last.offset + 1, "", last.leader_epoch)

    def commit_when_due(self) -> None:
        """Send the safe offsets off, if some are and the last ones were answered."""
        now = time.monotonic()
        answered = self._committing is None or self._committing.is_done
        if self._safe and answered and now >= self._commit_due:
            self._commit_due = now + COMMIT_S
            self._committing = self._consumer.commit_async(dict(self._safe), self._committed)

    def lag(self) -> int:
        """Return how many records of the partitions held were not polled when Kafka last answered."""
        held = self._consumer.assignment()
        return sum(
            max(0, (self._consumer.highwater(partition) or 0) - following)
            for partition, following in self._following.items()
            if partition in held
        )

    def close(self, timeout_ms: int) -> None:
        """Commit what is safe and leave the group, so that others take over at once."""
        try:
            if self._safe:
                self._consumer.commit(dict(self._safe), timeout_ms=timeout_ms)
        except KafkaError as error:
            log.warning("the last offsets are not committed (%r); their messages are read again", error)
        self._safe.clear()
        self._consumer.close(autocommit=False, timeout_ms=timeout_ms)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Commit what is safe of the partitions before they go."""
        leaving = {partition: self._safe.pop(partition) for partition in revoked if partition in self._safe}
        if not leaving:
            return
        try:
            await self._consumer.commit_async(leaving, self._committed)
        except KafkaError as error:
            log.info("offsets of partitions that go are not committed (%r); they are read again", error)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Tell which partitions this sink has from now on."""
        named = ", ".join(sorted(f"{partition.topic}-{partition.partition}" for partition in assigned))
        log.info("holds %d partitions: %s", len(assigned), named or "none")

    async def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        """Forget partitions that others have by now: they begin where the last commit was."""
        log.warning("the group went on without this sink; %d partitions are with others", len(lost))
        self._safe.clear()

    def _committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], outcome: object) -> None:
        if isinstance(outcome, Exception):
            if not self._refused:
                log.warning("Kafka takes no offsets (%r); tried again until it does", outcome)
            self._refused = True
            return
        self._refused = False
        for partition, offset in offsets.items():
            if self._safe.get(partition) == offset:
                del self._safe[partition]
