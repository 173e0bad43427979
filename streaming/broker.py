"""Kafka as the stream services use it: topics, a publisher that loses nothing, a patient consumer."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError
from kafka.partitioner.default import murmur2

from cryptobot.market.topics import CONFIGS, PARTITIONS

log = logging.getLogger(__name__)

SINK_GROUP = "streaming-sink"
SIGNALS_GROUP = "streaming-signals"
BUFFER_BYTES = 256 * 1024 * 1024
RECORD_BYTES = 1_024
"""What may wait for Kafka in memory, and what a record takes there beside its value: together about
200,000 records, half an hour of two pairs or 40 s at 5,000 a second."""
CONNECT_MS = 3_000
ANSWER_MS = 10_000
RETRY_S = 1.0
_DELIVERY_TIMEOUT_MS = 3_600_000
_MOST_KEYS = 10_000
_AT_ONCE = 500

Headers = list[tuple[str, bytes]]


def ensure_topics(bootstrap: str) -> None:
    """Create what is missing of the product's topics. Raises ``KafkaError`` when Kafka is away."""
    admin = KafkaAdminClient(
        bootstrap_servers=bootstrap, bootstrap_timeout_ms=CONNECT_MS, request_timeout_ms=ANSWER_MS
    )
    try:
        known = set(admin.list_topics())
        missing = {
            name: {"num_partitions": parts, "replication_factor": -1, "configs": CONFIGS.get(name, {})}
            for name, parts in PARTITIONS.items()
            if name not in known
        }
        if missing:
            admin.create_topics(missing, wait_for_metadata=True)
            log.info("created the topics %s", ", ".join(sorted(missing)))
    except TopicAlreadyExistsError:
        log.info("the topics were created by another service at the same moment")
    finally:
        admin.close()


def connect_consumer(bootstrap: str, group: str, **config: Any) -> KafkaConsumer:
    """Return a consumer of ``group`` that commits only when told to."""
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        bootstrap_timeout_ms=CONNECT_MS,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_000,
        reconnect_backoff_max_ms=2_000,
        metrics_enabled=False,
        **config,
    )


_Record = tuple[str, bytes, bytes | None, Headers | None]
"""Topic, value, key and headers."""


class Publisher:
    """Publishes to Kafka and keeps every record until it is acknowledged by all replicas.

    While Kafka is away records wait here, in order; when the client gives one up, a new client is
    made and all that is not acknowledged is sent again: at least once, never less. Connecting
    happens in a thread of its own, so that :meth:`publish` never waits for the network. The caller
    holds back while :attr:`full`. All methods are safe to call from any thread.

    Attributes
    ----------
    published
        How many records were taken.
    """

    def __init__(self, bootstrap: str, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._bootstrap = bootstrap
        self._buffer_bytes = buffer_bytes
        self._lock = threading.RLock()
        self._sent: deque[tuple[Any, _Record]] = deque()  # with kafka-python's future of each
        self._unsent: deque[_Record] = deque()
        self._waiting_bytes = 0
        self._settled = 0
        self.published = 0
        self._partitions: dict[tuple[str, bytes], int] = {}
        self._announced: Any = None
        self._answered = True
        self._producer: KafkaProducer | None = None
        self._closing = threading.Event()
        self._broken = threading.Event()
        self._broken.set()
        self._connector = threading.Thread(target=self._keep_connected, name="kafka-connector", daemon=True)
        self._connector.start()

    @property
    def answered(self) -> bool:
        """Whether Kafka acknowledged the last announcement before the next one was due."""
        return self._answered and not self._broken.is_set()

    @property
    def waiting(self) -> int:
        """How many records are not acknowledged."""
        with self._lock:
            self._settle()
            return len(self._sent) + len(self._unsent)

    @property
    def settled(self) -> int:
        """How many records are acknowledged: the first so many, because they are settled in order."""
        with self._lock:
            self._settle()
            return self._settled

    @property
    def full(self) -> bool:
        """Whether so much waits that the caller must hold back."""
        if self._waiting_bytes < self._buffer_bytes:
            return False
        with self._lock:
            self._settle()
        return self._waiting_bytes >= self._buffer_bytes

    def publish(
        self, topic: str, value: bytes, key: bytes | None = None, headers: Headers | None = None
    ) -> None:
        """Take one record; it will be in Kafka, or counted in :attr:`waiting`."""
        with self._lock:
            record = (topic, value, key, headers)
            future = None if self._unsent else self._hand_over(record)
            if future is None:
                self._unsent.append(record)
            else:
                self._sent.append((future, record))
            self._waiting_bytes += len(value) + RECORD_BYTES
            self.published += 1
            self._settle()

    def announce(self, topic: str, value: bytes, key: bytes) -> None:
        """Send a record that is of no use later: dropped while the one before is not acknowledged."""
        with self._lock:
            self._answered = self._announced is None or self._announced.is_done
            if self._answered:
                self._announced = self._hand_over((topic, value, key, None))

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is acknowledged; false when ``timeout_s`` passed before."""
        deadline = time.monotonic() + timeout_s
        while self.waiting:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def close(self, timeout_s: float) -> None:
        """Flush for at most ``timeout_s`` seconds and close; what is left is named in the log."""
        if not self.flush(timeout_s):
            log.error("%d records did not reach Kafka at %s before the stop", self.waiting, self._bootstrap)
        self._closing.set()
        self._broken.set()
        self._connector.join(timeout=1)
        if self._producer is not None:
            _close(self._producer)

    def _hand_over(self, record: _Record) -> Any:
        """Return the future of the record in the producer's hands; None where there is no producer now."""
        if self._producer is None or self._broken.is_set():
            return None
        topic, value, key, headers = record
        try:
            partition = None if key is None else self._partition(self._producer, topic, key)
            return self._producer.send(topic, value, key, headers, partition)
        except KafkaError as error:
            self._give_up(error)
            return None

    def _partition(self, producer: KafkaProducer, topic: str, key: bytes) -> int:
        """Return the key's partition as Kafka's own clients choose it; computed once, for it takes long."""
        known = self._partitions.get((topic, key))
        if known is None:
            partitions = sorted(producer.partitions_for(topic))
            known = partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)]
            if len(self._partitions) >= _MOST_KEYS:
                self._partitions.clear()
            self._partitions[topic, key] = known
        return known

    def _settle(self) -> None:
        """Forget what is acknowledged, from the oldest on."""
        sent = self._sent
        while sent:
            future, record = sent[0]
            if not future.is_done:
                return
            if future.exception is not None:
                self._give_up(future.exception)
                return
            sent.popleft()
            self._waiting_bytes -= len(record[1]) + RECORD_BYTES
            self._settled += 1

    def _give_up(self, error: BaseException) -> None:
        if not self._broken.is_set():
            log.warning("Kafka at %s gave up a record: %r; connecting anew", self._bootstrap, error)
            self._broken.set()

    def _keep_connected(self) -> None:
        while True:
            self._broken.wait()
            if self._closing.is_set():
                return
            try:
                producer = self._connect()
            except Exception as error:  # whatever it is, the records wait for another attempt
                log.warning(
                    "Kafka at %s does not answer (%r); %d records wait",
                    self._bootstrap,
                    error,
                    len(self._sent) + len(self._unsent),
                )
                self._closing.wait(RETRY_S)
                continue
            if self._closing.is_set():
                _close(producer)
                return
            with self._lock:
                old, self._producer = self._producer, producer
                self._announced = None
                self._broken.clear()
                self._partitions.clear()
                self._unsent.extendleft(record for _, record in reversed(self._sent))
                self._sent.clear()
            self._send_waiting()
            if old is not None:
                _close(old)

    def _send_waiting(self) -> None:
        """Hand over what waits, some at a time: whoever publishes meanwhile is not held up."""
        while True:
            with self._lock:
                for _ in range(min(_AT_ONCE, len(self._unsent))):
                    future = self._hand_over(self._unsent[0])
                    if future is None:
                        return
                    self._sent.append((future, self._unsent.popleft()))
                if not self._unsent:
                    return
            time.sleep(0.001)

    def _connect(self) -> KafkaProducer:
        ensure_topics(self._bootstrap)
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap,
            bootstrap_timeout_ms=CONNECT_MS,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=10,
            batch_size=64 * 1024,
            max_block_ms=5_000,
            delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
            reconnect_backoff_max_ms=2_000,
            metrics_enabled=False,
        )
        try:
            for topic in PARTITIONS:
                producer.partitions_for(topic)  # known beforehand, so that sending never waits for it
        except KafkaError:
            _close(producer)
            raise
        return producer


def _close(producer: KafkaProducer) -> None:
    with contextlib.suppress(KafkaTimeoutError):  # what it still holds is in the publisher's hands
        producer.close(timeout=1)
