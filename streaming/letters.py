"""Dead letters as they lie in Kafka: read, and sent again to the topic that they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kafka import KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.topics import DEAD_LETTER, MARKET, PARTITIONS
from streaming.broker import CONNECT_MS, connect_consumer

REPLAY_GROUP = "dead-letter-replay"
REPLAYED = "replayed"
"""Header of a message that was a dead letter: which ones, by their offsets."""
LETTER_BYTES = 512 * 1024
"""A dead letter must fit where its original only just did; its offset leads to the whole."""

_LETTERS = [TopicPartition(DEAD_LETTER, number) for number in range(PARTITIONS[DEAD_LETTER])]


class Letter(NamedTuple):
    """A dead letter: the message, why it is one, and whence it came."""

    partition: TopicPartition
    offset: int
    at: datetime
    key: bytes | None
    value: bytes
    headers: dict[str, str]
    waiting: bool
    """Whether no replay has come to it yet."""

    @property
    def reason(self) -> str:
        """Why it became one."""
        return self.headers.get("reason", "")

    @property
    def origin(self) -> str:
        """The topic, partition and offset that it came from, or ``exchange``."""
        parts = (self.headers.get(name) for name in ("topic", "partition", "offset"))
        return " ".join(part for part in parts if part)

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be sent again, if so."""
        if self.headers.get("topic") not in MARKET:
            return "came broken from the exchange; no topic had it"
        if len(self.value) >= LETTER_BYTES:
            return "kept in part; the whole is where it came from"
        return None


class DeadLetters:
    """The letters that are there now; which were replayed is the committed offset of a group.

    Raises ``KafkaError`` when Kafka is away.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = connect_consumer(bootstrap, REPLAY_GROUP)
        self._consumer.assign(_LETTERS)
        self._ends = self._consumer.end_offsets(_LETTERS)
        self._starts = self._consumer.beginning_offsets(_LETTERS)
        self._replayed = {part: self._consumer.committed(part) or 0 for part in _LETTERS}

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False, timeout_ms=2_000)

    @property
    def waiting(self) -> int:
        """How many letters no replay has come to."""
        return sum(
            self._ends[part] - min(self._ends[part], max(self._starts[part], self._replayed[part]))
            for part in _LETTERS
        )

    def read(
        self, *, since: datetime | None = None, again: bool = True, newest: int | None = None
    ) -> Iterator[Letter]:
        """Yield the letters in order; without ``again`` those that no replay has come to.

        ``since`` leaves out older ones, ``newest`` all but so many.
        """
        for part in _LETTERS:
            begin = max(self._starts[part], 0 if again else self._replayed[part])
            if since is not None:
                found = self._consumer.offsets_for_times({part: to_ms(since)})[part]
                begin = max(begin, found.offset if found else self._ends[part])
            if newest is not None:
                begin = max(begin, self._ends[part] - newest)
            yield from self._read(part, begin)

    def replay(self, letters: Sequence[Letter]) -> int:
        """Send what can be sent to its topic, with its key; then take all of ``letters`` as replayed."""
        with KafkaProducer(
            bootstrap_servers=self._bootstrap, bootstrap_timeout_ms=CONNECT_MS, acks="all", linger_ms=5
        ) as producer:
            sent = [
                producer.send(
                    letter.headers["topic"],
                    letter.value,
                    letter.key,
                    [(REPLAYED, " ".join((*_before(letter), str(letter.offset))).encode())],
                )
                for letter in letters
                if letter.obstacle is None
            ]
            producer.flush()
            for future in sent:
                future.get(timeout=30)
        done = {
            part: max(letter.offset + 1 for letter in letters if letter.partition == part)
            for part in {letter.partition for letter in letters}
        }
        self._consumer.commit(
            {
                part: OffsetAndMetadata(max(offset, self._replayed[part]), "", -1)
                for part, offset in done.items()
            },
            timeout_ms=10_000,
        )
        return len(sent)

    def _read(self, part: TopicPartition, begin: int) -> Iterator[Letter]:
        self._consumer.seek(part, begin)
        self._consumer.pause(*(other for other in _LETTERS if other != part))
        self._consumer.resume(part)
        while self._consumer.position(part) < self._ends[part]:
            for record in self._consumer.poll(timeout_ms=1_000).get(part, ()):
                if record.offset < self._ends[part]:
                    yield self._letter(part, record)

    def _letter(self, part: TopicPartition, record: Any) -> Letter:
        return Letter(
            part,
            record.offset,
            from_ms(record.timestamp),
            record.key,
            record.value or b"",
            {name: (found or b"").decode(errors="replace") for name, found in record.headers},
            record.offset >= self._replayed[part],
        )


def _before(letter: Letter) -> tuple[str, ...]:
    return tuple(letter.headers.get(REPLAYED, "").split())
