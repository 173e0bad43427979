"""The sink: market messages from Kafka into ``streaming_data``, each with effect once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pymongo
from kafka.errors import KafkaError
from pymongo.errors import PyMongoError

from cryptobot.market import topics
from cryptobot.settings import Settings, settings
from cryptobot.storage import live
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from streaming.broker import Publisher
from streaming.documents import STREAM, BrokenMessageError, document
from streaming.letters import LETTER_BYTES, REPLAYED
from streaming.metrics import BATCH_S, LATENCY_S, Tally
from streaming.partitions import Partitions
from streaming.service import RETRY_S, Heartbeat, Pulse, start_logging, stop_on_signals, wait_out

log = logging.getLogger(__name__)

BATCH = 5_000
WRITE_S = 4.0
"""A write that takes longer is tried again: the stop must not wait for a MongoDB that is away."""
POLL_MS = 200
LAG_S = 1.0


class Sink:
    """Writes batch after batch; an offset is committed only after its messages are safe.

    A message is safe when a majority of MongoDB holds its document, or Kafka its dead letter.
    Read again after a crash, it has the same ``_id`` and so no second effect.
    """

    def __init__(self, settings: Settings, publisher: Publisher, stop: threading.Event) -> None:
        self._settings = settings
        self._publisher = publisher
        self._stop = stop
        self._database = connect(settings)
        self.state = Pulse()
        self.latency = Tally(
            "latency_seconds",
            "From a trade's or ticker's time until it is stored.",
            LATENCY_S,
        )
        self.batch_seconds = Tally("batch_seconds", "How long the write of one batch took.", BATCH_S)

    def run(self) -> None:
        """Consume until the stop; Kafka or MongoDB away is waited out."""
        while not self._stop.is_set():
            try:
                with pymongo.timeout(WRITE_S):
                    ensure_collections(self._database)
                partitions = Partitions(self._settings.kafka_bootstrap, BATCH)
            except (KafkaError, PyMongoError) as error:
                wait_out(self.state, self._stop, f"cannot start: {error!r}")
                continue
            try:
                self._consume(partitions)
            except KafkaError as error:
                self.state.reconnects += 1
                wait_out(self.state, self._stop, f"Kafka at {self._settings.kafka_bootstrap}: {error!r}")
            finally:
                partitions.close(timeout_ms=2_000)

    def _consume(self, partitions: Partitions) -> None:
        looked = 0.0
        while not self._stop.is_set():
            polled = partitions.poll(POLL_MS)
            if polled:
                records = [record for part in polled.values() for record in part]
                if not self.save(records):
                    return
                partitions.saved(polled)
                self.state.messages += len(records)
                self.state.bytes += sum(map(_value_size, records))
                self.state.last_event_at = datetime.now(UTC)
            if time.monotonic() > looked + LAG_S:
                looked = time.monotonic()
                self.state.lag = partitions.lag()

    def save(self, records: Sequence[Any]) -> bool:
        """Make a batch safe; false when the stop came before MongoDB was back."""
        kept: list[tuple[Document, Any]] = []
        tickers: dict[str, tuple[Document, Any]] = {}
        for record in records:
            try:
                made = document(record.value)
            except BrokenMessageError as broken:
                self._bury(record, str(broken))
                continue
            if made is None:
                continue
            if made["kind"] == "ticker":
                tickers[made["_id"]] = (made, record)
            else:
                kept.append((made, record))
        latest = list(tickers.values())
        while True:
            try:
                began = time.monotonic()
                refused = self._write(kept, latest)
                break
            except PyMongoError as error:
                wait_out(
                    self.state, self._stop, f"MongoDB does not take a batch of {len(records)}: {error!r}"
                )
                if self._stop.is_set():
                    return False
        self.state.problem = None
        self.batch_seconds.observe((time.monotonic() - began,))
        self._observe_latency(kept, latest)
        for record, reason in refused:
            self._bury(record, reason)
        return self._dead_letters_safe()

    def _write(
        self, kept: list[tuple[Document, Any]], latest: list[tuple[Document, Any]]
    ) -> list[tuple[Any, str]]:
        with pymongo.timeout(WRITE_S):
            inserts = live.insert_new(self._database, [made for made, _ in kept])
            replaced = live.keep_latest(self._database, [made for made, _ in latest])
        self.state.stored += inserts.inserted
        return [(kept[at][1], reason) for at, reason in inserts.refused] + [
            (latest[at][1], reason) for at, reason in replaced.refused
        ]

    def _observe_latency(self, kept: list[tuple[Document, Any]], latest: list[tuple[Document, Any]]) -> None:
        now = datetime.now(UTC)
        self.latency.observe(
            (now - made["event_time"]).total_seconds()
            for made, _ in (*kept, *latest)
            if made["kind"] != "kline" and made["source"] == STREAM
        )

    def _bury(self, record: Any, reason: str) -> None:
        self.state.dead_letters += 1
        self._publisher.publish(
            topics.DEAD_LETTER,
            (record.value or b"")[:LETTER_BYTES],
            record.key,
            [
                ("reason", reason.encode()),
                ("topic", record.topic.encode()),
                ("partition", str(record.partition).encode()),
                ("offset", str(record.offset).encode()),
                *(header for header in record.headers if header[0] == REPLAYED),
            ],
        )

    def _dead_letters_safe(self) -> bool:
        while self._publisher.waiting:
            if self._publisher.flush(RETRY_S):
                break
            if self._stop.is_set():
                return False
        return True


def _value_size(record: Any) -> int:
    return record.serialized_value_size  # type: ignore[no-any-return]


def main() -> None:
    """Start a sink (``cryptobot-sink``); several share the work by partitions."""
    start_logging()
    stop = stop_on_signals()
    config = settings()
    publisher = Publisher(config.kafka_bootstrap)
    sink = Sink(config, publisher, stop)
    heartbeat = Heartbeat("sink", config, publisher, lambda: sink.state, (sink.latency, sink.batch_seconds))
    heartbeat.start()
    started = time.monotonic()
    log.info("writing %s from Kafka at %s", ", ".join(topics.MARKET), config.kafka_bootstrap)
    sink.run()
    publisher.close(timeout_s=2)
    heartbeat.end()
    log.info("stopped after %d messages in %.0f s", sink.state.messages, time.monotonic() - started)
