"""The notifier: each new alert to Kafka and to the targets of people, at least once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from cryptobot.alert_settings import Severity
from cryptobot.decisions.notification import Courier, DeliveryError, Dispatcher, Patience
from cryptobot.decisions.targets import AppriseChannel
from cryptobot.market.topics import ALERTS
from cryptobot.settings import Settings, settings
from cryptobot.storage import outbox
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from streaming.broker import Publisher
from streaming.metrics import counted, measured
from streaming.service import RETRY_S, Heartbeat, Pulse, start_logging, stop_on_signals, wait_out

log = logging.getLogger(__name__)

READER = "notifier"
SWEEP_S = 10.0
ANSWER_S = 10.0
ENDLESS = Patience(attempts=2**31, age=timedelta.max)
"""Kafka is a part of the product: an alert waits for it however long it is away."""


@dataclass(slots=True)
class NotifierPulse(Pulse):
    """What the notifier counts besides."""

    sent: int = counted("Deliveries that a channel took.")
    failed: int = counted("Deliveries that were given up.")
    waiting: int = measured("Deliveries that wait for their turn.")


class TopicChannel:
    """The topic ``alerts``: the document as JSON under its key, by which a consumer knows a repetition."""

    name = f"topic:{ALERTS}"
    min_severity: Severity = "info"

    def __init__(self, publisher: Publisher, stop: threading.Event) -> None:
        self._publisher = publisher
        self._stop = stop

    def send(self, alert: Document) -> None:
        """Publish one alert, and return when Kafka has acknowledged it."""
        told = {name: value for name, value in alert.items() if name not in ("deliveries", "delivered")}
        self._publisher.publish(ALERTS, orjson.dumps(told, default=str), alert["_id"].encode())
        while not self._publisher.flush(RETRY_S):
            if self._stop.is_set():
                raise DeliveryError("Kafka had not acknowledged it before the stop")


class Notifier(threading.Thread):
    """Follows ``alerts`` by change stream, with a look at all that is undelivered behind it."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        stop: threading.Event,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(name="notifier", daemon=True)
        self._database = connect(settings)
        self._stop_event = stop
        self._state = NotifierPulse()
        targets = [AppriseChannel(name, target) for name, target in settings.alert_targets.items()]
        self._unusable = ", ".join(sorted(target.name for target in targets if not target.usable))
        self._dispatcher = Dispatcher(
            [
                Courier(TopicChannel(publisher, stop), self._database, stop, ENDLESS),
                *(Courier(target, self._database, stop, patience) for target in targets),
            ]
        )

    def sample(self) -> NotifierPulse:
        """Return how the notifier is."""
        couriers = self._dispatcher.couriers
        self._state.sent = sum(courier.sent for courier in couriers)
        self._state.failed = sum(courier.failed for courier in couriers)
        self._state.waiting = sum(courier.waiting for courier in couriers)
        return self._state

    def run(self) -> None:
        """Hand on until the stop; MongoDB away is waited out."""
        for courier in self._dispatcher.couriers:
            courier.start()
        while not self._stop_event.is_set():
            try:
                with pymongo.timeout(ANSWER_S):
                    ensure_collections(self._database)
                    token = outbox.position(self._database, READER)
                self._follow(token)
                if not self._stop_event.is_set():  # the collection was dropped
                    self._begin_anew()
            except PyMongoError as error:
                self._state.reconnects += 1
                wait_out(self._state, self._stop_event, f"alerts cannot be followed in MongoDB: {error!r}")
                if isinstance(error, OperationFailure):
                    self._begin_anew()

    def _follow(self, token: Mapping[str, Any] | None) -> None:
        with pymongo.timeout(ANSWER_S):
            opened = outbox.follow(self._database, token)
        with opened as stream:
            due = 0.0
            while not self._stop_event.is_set() and stream.alive:
                if time.monotonic() >= due:
                    self._sweep(stream.resume_token)
                    due = time.monotonic() + SWEEP_S
                with pymongo.timeout(ANSWER_S):
                    change = stream.try_next()
                if change is not None:
                    self._hand_over(change["fullDocument"])

    def _sweep(self, token: Mapping[str, Any] | None) -> None:
        """Hand over whatever is undelivered, and keep up to where the stream has come."""
        with pymongo.timeout(ANSWER_S):
            waiting = outbox.undelivered(self._database)
            if token is not None:
                outbox.keep_position(self._database, READER, token)
        for alert in waiting:
            self._hand_over(alert)
        self._state.problem = (
            f"apprise does not understand the address of: {self._unusable}; see CRYPTOBOT_ALERT_TARGETS"
            if self._unusable
            else None
        )

    def _hand_over(self, alert: Document) -> None:
        if self._dispatcher.dispatch(alert):
            self._state.messages += 1
            self._state.last_event_at = datetime.now(UTC)

    def _begin_anew(self) -> None:
        """Forget the place in the stream, which the server may have lost; the sweep finds what is missed."""
        try:
            with pymongo.timeout(ANSWER_S):
                outbox.keep_position(self._database, READER, None)
        except PyMongoError as error:
            log.warning("the place in the stream is not forgotten yet: %s", type(error).__name__)


def main() -> None:
    """Start the notifier (``cryptobot-notifier``); one is enough, two would send twice."""
    start_logging()
    stop = stop_on_signals()
    config = settings()
    publisher = Publisher(config.kafka_bootstrap)
    notifier = Notifier(config, publisher, stop)
    heartbeat = Heartbeat(READER, config, publisher, notifier.sample)
    heartbeat.start()
    notifier.start()
    names = ", ".join(config.alert_targets) or "nobody: CRYPTOBOT_ALERT_TARGETS is empty"
    log.info("alerts go to Kafka at %s and to %s", config.kafka_bootstrap, names)
    stop.wait()
    notifier.join(timeout=2)
    publisher.close(timeout_s=2)
    heartbeat.end()
    log.info("stopped after %d alerts", notifier.sample().messages)
