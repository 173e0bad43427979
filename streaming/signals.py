"""The signals daemon: closed candles from Kafka into ``signals``, and the alerts that follow."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pymongo
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from pymongo.errors import PyMongoError

from cryptobot.decisions.announcement import Announcer
from cryptobot.decisions.live import Assessment, LiveScorer
from cryptobot.market import Interval, topics
from cryptobot.market.instant import to_ms
from cryptobot.serving.bundle import Bundle
from cryptobot.serving.store import ChampionStore
from cryptobot.settings import Settings, settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from streaming.broker import SIGNALS_GROUP, Publisher, connect_consumer
from streaming.documents import BrokenMessageError, document
from streaming.service import Heartbeat, Pulse, start_logging, stop_on_signals

log = logging.getLogger(__name__)

WAIT_S = 10.0
"""For so long a candle waits for those that its features lack: the other pair's, or a repaired hole's."""
REFILL_S = 0.5
"""Meanwhile the database is asked for them as often: another instance may have the other pair."""
IDLE_MS, WAITING_MS = 500, 50
FETCH_WAIT_MS = 50
COMMIT_S = 1.0
ROUND = 50
"""So many candles are assessed before the first of them is written."""
WRITE_S = 3.0
"""A write that takes longer is tried again: the stop must not wait for a MongoDB that is away."""
RETRY_S = 1.0
REMEMBERED = 10_000

Key = tuple[str, int]
"""A candle: symbol and open time in ms."""


@dataclass(slots=True)
class SignalsPulse(Pulse):
    """How the daemon is: ``stored`` counts signals, ``withheld`` candles without one, by reason."""

    withheld: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    models: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Waiting:
    partition: TopicPartition
    offset: int
    since: float


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
        self._wait_s = wait_s
        self._database = connect(settings)
        self._store = ChampionStore(self._database, settings, None, self._note_model)
        self._scorer = LiveScorer(
            settings.symbols,
            Interval(settings.signal_interval),
            self._champion,
            timedelta(days=settings.model_max_age_days),
        )
        self._announcer = Announcer(self._database, settings)
        self._waiting: dict[Key, _Waiting] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._published: OrderedDict[str, None] = OrderedDict()
        self._silent: dict[str, str] = {}
        self._refilled_at = self._committed_at = 0.0
        self._state = SignalsPulse()

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
                self._pause(f"cannot start: {error!r}")
                continue
            try:
                self._consume(consumer)
            except KafkaError as error:
                self._state.reconnects += 1
                self._pause(f"Kafka at {self._settings.kafka_bootstrap}: {error!r}")
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
        self._positions.clear()
        while not self._stop.is_set():
            behind = self._waiting or self._positions
            polled = consumer.poll(timeout_ms=WAITING_MS if behind else IDLE_MS)
            came = [self._take(record) for part in polled.values() for record in part]
            for partition, records in polled.items():
                self._positions[partition] = records[-1].offset + 1
            if not self._tell(self._ready(any(came))):
                return
            if polled:
                self._state.problem = None
            self._commit(consumer, COMMIT_S)
        self._publisher.flush(RETRY_S)
        self._commit(consumer, least_s=0)

    def _take(self, record: Any) -> bool:
        """Take one message; true where it is a closed candle to be assessed."""
        self._state.messages += 1
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
        if not self._waiting:
            self._refilled_at = time.monotonic()
        partition = TopicPartition(record.topic, record.partition)
        self._waiting.setdefault(key, _Waiting(partition, record.offset, time.monotonic()))
        return True

    def _follows(self, candle: Document) -> bool:
        return (
            candle["interval"] == self._settings.signal_interval
            and candle["symbol"] in self._settings.symbols
        )

    def _ready(self, came: bool) -> list[Key]:
        """Return the candles that lack nothing, and those that have waited for long enough."""
        now = time.monotonic()
        complete = set()
        if came:
            complete = {key for key in self._waiting if not self._scorer.missing(*key)}
        if len(complete) < len(self._waiting) and now - self._refilled_at >= REFILL_S:
            self._refilled_at = now
            if self._refill(key for key in self._waiting if key not in complete):
                complete = {key for key in self._waiting if not self._scorer.missing(*key)}
        return [
            key for key, held in self._waiting.items() if key in complete or now - held.since >= self._wait_s
        ]

    def _refill(self, keys: Iterable[Key]) -> bool:
        lacking: dict[str, set[int]] = defaultdict(set)
        for key in keys:
            for symbol, opened in self._scorer.missing(*key).items():
                lacking[symbol].update(opened)
        try:
            with pymongo.timeout(WRITE_S):
                return self._scorer.refill(
                    self._database, {name: [*times] for name, times in lacking.items()}
                )
        except PyMongoError as error:
            self._pause(f"MongoDB cannot be asked for missing candles: {error!r}")
            return False

    def _tell(self, keys: list[Key]) -> bool:
        """Make signals and alerts of candles; false when the stop came before MongoDB was back."""
        for some in _rounds(keys):
            now = datetime.now(UTC)
            assessed = [made for key in some if (made := self._scorer.assess(*key, now))]
            stored = self._announce(assessed, now)
            if stored is None:
                return False
            for signal in stored:
                self._publish(signal)
            for assessment in assessed:
                self._note(assessment)
            for key in some:
                del self._waiting[key]
        return True

    def _announce(self, assessed: list[Assessment], now: datetime) -> list[Document] | None:
        while not self._stop.is_set():
            try:
                with pymongo.timeout(WRITE_S):
                    return self._announcer.announce(assessed, now)
            except PyMongoError as error:
                self._pause(f"MongoDB does not take {len(assessed)} signals: {error!r}")
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
        symbol, why = assessment.candle["symbol"], assessment.withheld
        if why is None:
            if self._silent.pop(symbol, None):
                log.info("%s has signals again", symbol)
            return
        self._state.withheld[why] = self._state.withheld.get(why, 0) + 1
        if self._silent.get(symbol) != why:
            self._silent[symbol] = why
            opened = assessment.candle["open_time"]
            log.warning("%s has no signal from %s on: %s", symbol, opened.isoformat(), assessment.why)

    def _commit(self, consumer: KafkaConsumer, least_s: float) -> None:
        """Commit what is done, now and then: to read a message again does no harm."""
        if time.monotonic() - self._committed_at < least_s or self._publisher.waiting:
            return
        done = {part: at for part, at in self._positions.items() if part in consumer.assignment()}
        for held in self._waiting.values():
            if held.partition in done:
                done[held.partition] = min(done[held.partition], held.offset)
        if done:
            offsets = {part: OffsetAndMetadata(at, "", -1) for part, at in done.items()}
            consumer.commit(offsets, timeout_ms=3_000)
        if not self._waiting:
            self._positions.clear()
        self._committed_at = time.monotonic()

    def _champion(self, symbol: str) -> Bundle | None:
        serving = self._store.champion(symbol)
        return serving.bundle if serving else None

    def _note_model(self, symbol: str, version: str, outcome: str) -> None:
        log.info("%s: model %s %s", symbol, version, outcome)

    def _pause(self, problem: str) -> None:
        if self._state.problem is None:
            log.warning("%s; trying again", problem[:300])
        self._state.problem = problem[:300]
        self._stop.wait(RETRY_S)


def _rounds(keys: list[Key]) -> Iterator[list[Key]]:
    for first in range(0, len(keys), ROUND):
        yield keys[first : first + ROUND]


def main() -> None:
    """Start the signals daemon (``cryptobot-signals``)."""
    start_logging()
    stop = stop_on_signals()
    config = settings()
    publisher = Publisher(config.kafka_bootstrap)
    service = SignalService(config, publisher, stop)
    heartbeat = Heartbeat("signals", config, publisher, service.pulse)
    heartbeat.start()
    log.info("scoring %s candles of %s", config.signal_interval, ", ".join(config.symbols))
    service.run()
    publisher.close(timeout_s=2)
    heartbeat.end()
    log.info("stopped after %d signals", service.pulse().stored)
