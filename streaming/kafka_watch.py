"""What Kafka says of the live path: how far the consumers are behind, and what arrived broken."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import RetriableError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from cryptobot.market.instant import to_ms
from cryptobot.market.topics import DEAD_LETTER, KLINES, MARKET
from cryptobot.settings import Settings
from streaming.broker import SIGNALS_GROUP, SINK_GROUP

CONSUMERS: Mapping[str, Sequence[str]] = {SINK_GROUP: MARKET, SIGNALS_GROUP: (KLINES,)}
"""The groups of consumers that must keep up, each with the topics that it reads."""

_READY_S = 10

_patiently = retry(
    retry=retry_if_exception_type(RetriableError),
    stop=stop_after_delay(_READY_S),
    wait=wait_fixed(0.5),
    reraise=True,
)


@_patiently
def consumer_lag(
    settings: Settings,
    group: str = SINK_GROUP,
    topics: Sequence[str] = MARKET,
    *,
    before: datetime | None = None,
) -> dict[str, Any]:
    """Return how many messages a group has yet to handle: ``total``, and ``topics`` by name.

    ``late`` is how many of them came before ``before``. A partition that the group has never committed
    counts from its oldest message, and has nothing late: whether anyone reads at all is told by
    heartbeats. Raises ``KafkaError`` when Kafka does not answer, or is not ready within 10 s of its
    start.
    """
    with _admin(settings) as admin:
        partitions = _partitions(admin, topics)
        ends = _offsets(admin, partitions, OffsetSpec.LATEST)
        starts = _offsets(admin, partitions, OffsetSpec.EARLIEST)
        due = starts if before is None else _offsets(admin, partitions, to_ms(before))
        committed = {
            partition: found.offset for partition, found in admin.list_group_offsets([group])[group].items()
        }
    behind, late = dict.fromkeys(topics, 0), 0
    for partition, end in ends.items():
        done = committed.get(partition, -1)
        behind[partition.topic] += max(0, end - max(done, starts[partition]))
        if done >= 0:
            due_offset = due[partition] if due[partition] >= 0 else end
            late += max(0, due_offset - max(done, starts[partition]))
    return {"group": group, "total": sum(behind.values()), "late": late, "topics": behind}


@_patiently
def dead_letters_since(settings: Settings, since: datetime) -> int:
    """Return how many messages were put aside since an instant; raises as :func:`consumer_lag`."""
    with _admin(settings) as admin:
        partitions = _partitions(admin, [DEAD_LETTER])
        ends = _offsets(admin, partitions, OffsetSpec.LATEST)
        first = _offsets(admin, partitions, to_ms(min(since, datetime.now(UTC))))
    return sum(end - first[partition] for partition, end in ends.items() if first[partition] >= 0)


@contextlib.contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, bootstrap_timeout_ms=5_000)
    try:
        yield admin
    finally:
        admin.close()


def _partitions(admin: KafkaAdminClient, topics: Sequence[str]) -> list[TopicPartition]:
    return [
        TopicPartition(topic["name"], part["partition_index"])
        for topic in admin.describe_topics(list(topics))
        for part in topic["partitions"]
    ]


def _offsets(
    admin: KafkaAdminClient, partitions: Sequence[TopicPartition], spec: int
) -> dict[TopicPartition, int]:
    """Return an offset of each partition; -1 where nothing is as new as the instant that was asked for."""
    found = admin.list_partition_offsets(dict.fromkeys(partitions, spec))
    return {partition: answer.offset for partition, answer in found.items()}
