"""The signals daemon: closed candles from Kafka into ``signals``, and the alerts that follow."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pymongo
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pymongo.errors import PyMongoError

from cryptobot.decisions.announcement import Announcer
from cryptobot.decisions.live import Assessment, LiveScorer
from cryptobot.decisions.operational import model_refused
from cryptobot.market import Interval, topics
from cryptobot.market.instant import to_ms
from cryptobot.serving.bundle import Bundle
from cryptobot.serving.store import ChampionStore
from cryptobot.settings import Settings, settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from streaming.broker import SIGNALS_GROUP, Publisher, connect_consumer
from streaming.documents import STREAM, BrokenMessageError, document
from streaming.metrics import LATENCY_S, Tally, counted, measured
from streaming.service import RETRY_S, Heartbeat, Pulse, start_logging, stop_on_signals, wait_out
from streaming.waiting import WAIT_S, Key, WaitingCandles

log = logging.getLogger(__name__)

IDLE_MS, WAITING_MS = 500, 50
FETCH_WAIT_MS = 50
COMMIT_S = 1.0
ROUND = 50
"""So many candles are assessed before the first of them is written."""
WRITE_S = 3.0
"""A write that takes longer is tried again: the stop must not wait for a MongoDB that is away."""
REMEMBERED = 10_000
"""Signals of which it is known that they are in the topic."""


@dataclass(slots=True)
class SignalsPulse(Pulse):
    """What the signals daemon counts besides; what it stores are signals."""

    no_model: int = counted("Closed candles without a signal: there is no model.")
    model_expired: int = counted("Closed candles without a signal: the model has expired.")
    incomplete: int = counted("Closed candles without a signal: candles are missing.")
    waiting: int = measured("Closed candles that wait for others.")
    models: dict[str, str] = field(default_factory=dict)


class SignalService:
    """Follows the closed candles of the signal interval; one live signal for each candle and symbol.

    A candle's offset is committed when its signal is in MongoDB and in Kafka and its alerts are
    raised, or when it is known that it has none. Read again after a crash it has the same ``_id``s,
    and so no second effect; only the topic ``signals`` may then hold the same signal twice.
    """

    def __init__(
        self, settings: Settings, publisher: Publisher, stop: threading.Event, wait_s: float = WAIT_S
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._stop = stop
        self._database = connect(settings)
        self._store = ChampionStore(self._database, settings, None, self._note_model, model_refused)
        self._scorer = LiveScorer(
            settings.symbols,
            Interval(settings.signal_interval),
            self._champion,
            timedelta(days=settings.model_max_age_days),
        )
        self._announcer = Announcer(self._database, settings)
        self._waiting = WaitingCandles(self._scorer, wait_s)
        self._published: OrderedDict[str, None] = OrderedDict()
        self._silent: dict[str, str] = {}
        self._committed_at = time.monotonic()
        self._state = SignalsPulse()
        self.latency = Tally(
            "latency_seconds", "From a closed candle's arrival until its signal is stored.", LATENCY_S
        )

    def pulse(self) -> SignalsPulse:
        """Return how the daemon is."""
        return replace(self._state, waiting=len(self._waiting), models=self._store.versions())

    def run(self) -> None:
        """Consume until the stop; Kafka or MongoDB away is waited out."""
        ready = False
        while not self._stop.is_set():
            try:
                ready = ready or self._prepare()
                consumer = self._subscribe()
            except (KafkaError, PyMongoError) as error:
                wait_out(self._state, self._stop, f"cannot start: {error!r}")
                continue
            try:
                self._consume(consumer)
            except KafkaError as error:
                self._state.reconnects += 1
                wait_out(self._state, self._stop, f"Kafka at {self._settings.kafka_bootstrap}: {error!r}")
            finally:
                consumer.close(autocommit=False, timeout_ms=1_000)
        self._store.close(timeout_s=0.5)

    def _prepare(self) -> bool:
        """Load candles and champions, so that the first message finds them; true when all are there."""
        with pymongo.timeout(WRITE_S):
            ensure_collections(self._database)
        for symbol in self._settings.symbols:
            if self._stop.is_set():
                return False
            with pymongo.timeout(WRITE_S):
                self._scorer.load(self._database, symbol)
        with pymongo.timeout(WRITE_S):
            self._store.synchronize()
        self._store.start()
        return True

    def _subscribe(self) -> KafkaConsumer:
        consumer = connect_consumer(
            self._settings.kafka_bootstrap, SIGNALS_GROUP, fetch_max_wait_ms=FETCH_WAIT_MS
        )
        consumer.subscribe([topics.KLINES])
        return consumer

    def _consume(self, consumer: KafkaConsumer) -> None:
        self._waiting.clear()
        while not self._stop.is_set():
            busy = len(self._waiting) or self._waiting.uncommitted
            polled = consumer.poll(timeout_ms=WAITING_MS if busy else IDLE_MS)
            came = [self._take(record) for part in polled.values() for record in part]
            for partition, records in polled.items():
                self._waiting.read_to(partition, records[-1].offset + 1)
            if not self._tell(self._ready(any(came))):
                return
            self._commit(consumer)
        self._publisher.flush(RETRY_S)
        if not self._publisher.waiting and (done := self._waiting.done(consumer.assignment())):
            consumer.commit(done, timeout_ms=1_000)

    def _take(self, record: Any) -> bool:
        """Take one message; true where it is a closed candle to be told."""
        self._state.messages += 1
        self._state.bytes += len(record.value or b"")
        try:
            candle = document(record.value)
        except BrokenMessageError:
            return False  # the sink makes a dead letter of it
        if candle is None or candle["kind"] != "kline" or not self._follows(candle):
            return False
        self._state.last_event_at = datetime.now(UTC)
        key = (candle["symbol"], to_ms(candle["open_time"]))
        self._scorer.add(candle)
        if not self._scorer.holds(*key):
            return False  # so old that no signal is of use
        partition = TopicPartition(record.topic, record.partition)
        received = candle["received_at"] if candle["source"] == STREAM else None
        self._waiting.hold(key, partition, record.offset, received)
        return True

    def _follows(self, candle: Document) -> bool:
        wanted = candle["interval"] == self._settings.signal_interval
        return wanted and candle["symbol"] in self._settings.symbols

    def _ready(self, came: bool) -> list[Key]:
        try:
            ready = self._waiting.ready(self._database, came)
        except PyMongoError as error:
            wait_out(self._state, self._stop, f"MongoDB cannot be asked for missing candles: {error!r}")
            return []
        self._state.problem = None
        return ready

    def _tell(self, keys: list[Key]) -> bool:
        """Make signals and alerts of candles; false when the stop came before MongoDB was back."""
        for first in range(0, len(keys), ROUND):
            some, now = keys[first : first + ROUND], datetime.now(UTC)
            assessed = [made for key in some if (made := self._scorer.assess(*key, now))]
            stored = self._announce(assessed, now)
            if stored is None:
                return False
            for signal in stored:
                self._publish(signal)
            for assessment in assessed:
                self._note(assessment)
            self._release(some)
        return True

    def _announce(self, assessed: list[Assessment], now: datetime) -> list[Document] | None:
        while not self._stop.is_set():
            try:
                with pymongo.timeout(WRITE_S):
                    stored = self._announcer.announce(assessed, now)
            except PyMongoError as error:
                wait_out(
                    self._state,
                    self._stop,
                    f"MongoDB does not take what {len(assessed)} candles say: {error!r}",
                )
            else:
                self._state.problem = None
                return stored
        return None

    def _publish(self, signal: Document) -> None:
        if signal["_id"] in self._published:
            return
        self._published[signal["_id"]] = None
        if len(self._published) > REMEMBERED:
            self._published.popitem(last=False)
        self._publisher.publish(topics.SIGNALS, orjson.dumps(signal), signal["symbol"].encode())
        self._state.stored += 1

    def _note(self, assessment: Assessment) -> None:
        """Count a candle without signal, and log the reason when it is another than before."""
        symbol, reason = assessment.candle["symbol"], assessment.withheld
        if reason is None:
            if self._silent.pop(symbol, None):
                log.info("%s has signals again", symbol)
            return
        setattr(self._state, reason.value, getattr(self._state, reason.value) + 1)
        if self._silent.get(symbol) != reason:
            self._silent[symbol] = reason
            opened = assessment.candle["open_time"]
            log.warning("%s has no signal from %s on: %s", symbol, opened.isoformat(), assessment.why)

    def _release(self, keys: list[Key]) -> None:
        now = datetime.now(UTC)
        received = [held.received_at for held in map(self._waiting.release, keys)]
        self.latency.observe((now - at).total_seconds() for at in received if at is not None)

    def _commit(self, consumer: KafkaConsumer) -> None:
        """Send off what is done, now and then; where that fails, messages are read again to no effect."""
        if time.monotonic() - self._committed_at < COMMIT_S or self._publisher.waiting:
            return
        if done := self._waiting.done(consumer.assignment()):
            consumer.commit_async(done)
        self._waiting.committed()
        self._committed_at = time.monotonic()

    def _champion(self, symbol: str) -> Bundle | None:
        serving = self._store.champion(symbol)
        return serving.bundle if serving else None

    def _note_model(self, symbol: str, version: str, outcome: str) -> None:
        log.info("%s: model %s %s", symbol, version, outcome)


def main() -> None:
    """Start the signals daemon (``cryptobot-signals``)."""
    start_logging()
    stop = stop_on_signals()
    config = settings()
    publisher = Publisher(config.kafka_bootstrap)
    service = SignalService(config, publisher, stop)
    heartbeat = Heartbeat("signals", config, publisher, service.pulse, (service.latency,))
    heartbeat.start()
    log.info("scoring %s candles of %s", config.signal_interval, ", ".join(config.symbols))
    service.run()
    publisher.close(timeout_s=2)
    heartbeat.end()
    log.info("stopped after %d signals", service.pulse().stored)
