"""Closed candles from Kafka until all that their features need is there, and the offsets they hold back."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import pymongo
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from pymongo.database import Database

from cryptobot.decisions.live import LiveScorer
from cryptobot.storage.database import Document

WAIT_S = 10.0
"""For so long a candle waits for those that its features lack: the other pair's, or a repaired hole's."""
REFILL_S = 0.5
"""Meanwhile the database is asked for them as often: another instance may have the other pair."""
READ_S = 3.0

Key = tuple[str, int]
"""A candle: symbol and open time in ms."""


@dataclass(frozen=True, slots=True)
class Held:
    """A candle that was read and is not told yet: where it is in Kafka, and since when it is held.

    ``received_at`` is when it came from the exchange, and ``None`` where it was fetched for a hole.
    """

    partition: TopicPartition
    offset: int
    received_at: datetime | None
    since: float


class WaitingCandles:
    """Closed candles in the order of their coming; each is held until it is told."""

    def __init__(self, scorer: LiveScorer, wait_s: float = WAIT_S) -> None:
        self._scorer = scorer
        self._wait_s = wait_s
        self._held: dict[Key, Held] = {}
        self._read: dict[TopicPartition, int] = {}
        self._refilled_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def uncommitted(self) -> bool:
        """Whether more was read than was committed."""
        return bool(self._read)

    def clear(self) -> None:
        """Forget all: Kafka is read again from what was committed."""
        self._held.clear()
        self._read.clear()

    def read_to(self, partition: TopicPartition, offset: int) -> None:
        """Take note that a partition was read up to ``offset``, exclusive."""
        self._read[partition] = offset

    def hold(self, key: Key, partition: TopicPartition, offset: int, received_at: datetime | None) -> None:
        """Hold a candle; one that is held already stays where it first was."""
        now = time.monotonic()
        if not self._held:
            self._refilled_at = now
        self._held.setdefault(key, Held(partition, offset, received_at, now))

    def release(self, key: Key) -> Held:
        """Let go of a candle that is told."""
        return self._held.pop(key)

    def ready(self, database: Database[Document], came: bool) -> list[Key]:
        """Return the candles that lack nothing, and those that have waited for long enough.

        ``came`` tells that there are new candles since the last call. Raises ``PyMongoError`` when
        the database cannot be asked for what is missing.
        """
        now = time.monotonic()
        complete = self._complete() if came else set()
        if len(complete) < len(self._held) and now - self._refilled_at >= REFILL_S:
            self._refilled_at = now
            if self._refill(database, [key for key in self._held if key not in complete]):
                complete = self._complete()
        return [
            key for key, held in self._held.items() if key in complete or now - held.since >= self._wait_s
        ]

    def done(self, assigned: Collection[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return the offsets up to which all is told, of the partitions that are held."""
        offsets = {partition: at for partition, at in self._read.items() if partition in assigned}
        for held in self._held.values():
            if held.partition in offsets:
                offsets[held.partition] = min(offsets[held.partition], held.offset)
        return {partition: OffsetAndMetadata(at, "", -1) for partition, at in offsets.items()}

    def committed(self) -> None:
        """Take note that :meth:`done` was committed."""
        if not self._held:
            self._read.clear()

    def _complete(self) -> set[Key]:
        return {key for key in self._held if not self._scorer.missing(*key)}

    def _refill(self, database: Database[Document], keys: Iterable[Key]) -> bool:
        lacking: dict[str, set[int]] = defaultdict(set)
        for key in keys:
            for symbol, opened in self._scorer.missing(*key).items():
                lacking[symbol].update(opened)
        with pymongo.timeout(READ_S):
            return self._scorer.refill(database, {symbol: [*opened] for symbol, opened in lacking.items()})
