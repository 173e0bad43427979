"""Notification: every new alert to every channel that wants it, at least once, each at its own pace."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)

from cryptobot.alert_settings import SEVERITIES, Severity
from cryptobot.storage.database import Document
from cryptobot.storage.outbox import FINAL, Delivery, record

log = logging.getLogger(__name__)

RECORD_S = 3.0
RETRY_S = 1.0
_REMEMBERED = 20_000


class DeliveryError(RuntimeError):
    """A channel did not take an alert; the message says why, without any address."""


class Channel(Protocol):
    """A way to people or programs."""

    name: str
    min_severity: Severity

    def send(self, alert: Document) -> None:
        """Return when the alert is taken; raise :class:`DeliveryError` when it was not."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a channel is tried with an alert: so often, with growing pauses, while it is so young."""

    attempts: int = 8
    first_s: float = 1.0
    longest_s: float = 60.0
    age: timedelta = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class _Parcel:
    alert: Document
    wanted: tuple[str, ...]
    """All the channels that are to have the alert."""


class Courier(threading.Thread):
    """Takes alerts to one channel, one after the other, and records what became of them.

    It waits for its own channel alone. A stop leaves what is under way pending: it is sent again
    by the next process, and so is what was sent but could not be recorded: at least once.
    """

    def __init__(
        self, channel: Channel, database: Database[Document], stop: threading.Event, patience: Patience
    ) -> None:
        super().__init__(name=f"courier-{channel.name}", daemon=True)
        self.channel = channel
        self.sent = 0
        self.failed = 0
        self._database = database
        self._stop_event = stop
        self._patience = patience
        self._parcels: queue.SimpleQueue[_Parcel] = queue.SimpleQueue()

    @property
    def waiting(self) -> int:
        """How many alerts wait for their turn."""
        return self._parcels.qsize()

    def take(self, parcel: _Parcel) -> None:
        """Take an alert; returns at once."""
        self._parcels.put(parcel)

    def run(self) -> None:
        """Deliver until the stop."""
        while not self._stop_event.is_set():
            try:
                parcel = self._parcels.get(timeout=0.2)
            except queue.Empty:
                continue
            self._deliver(parcel)

    def _deliver(self, parcel: _Parcel) -> None:
        alert = parcel.alert
        before = int(alert.get("deliveries", {}).get(self.channel.name, {}).get("attempts", 0))
        if datetime.now(UTC) - alert["created_at"] > self._patience.age:
            self._end(parcel, Delivery("failed", before, f"not delivered within {self._patience.age}"))
            return
        retrying = Retrying(
            retry=retry_if_exception_type(DeliveryError),
            stop=stop_after_attempt(self._patience.attempts) | stop_when_event_set(self._stop_event),
            wait=wait_exponential(self._patience.first_s, self._patience.longest_s)
            + wait_random(0, self._patience.first_s),
            sleep=sleep_using_event(self._stop_event),
            before_sleep=lambda state: self._tell_pending(parcel, before, state),
            reraise=True,
        )
        try:
            retrying(self.channel.send, alert)
        except DeliveryError as error:
            if not self._stop_event.is_set():
                attempts = before + int(retrying.statistics["attempt_number"])
                self._end(parcel, Delivery("failed", attempts, str(error)))
        else:
            self._end(parcel, Delivery("sent", before + int(retrying.statistics["attempt_number"])))

    def _tell_pending(self, parcel: _Parcel, before: int, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 1:
            name, key = self.channel.name, parcel.alert["_id"]
            log.warning("%s does not take alert %s: %s; trying again", name, key, error)
        try:
            self._record(parcel, Delivery("pending", before + state.attempt_number, str(error)))
        except PyMongoError as fault:
            log.warning("an attempt is not recorded: %s", type(fault).__name__)

    def _end(self, parcel: _Parcel, delivery: Delivery) -> None:
        """Record the end of a delivery; MongoDB away is waited out."""
        if delivery.state == "failed":
            self.failed += 1
            name, key = self.channel.name, parcel.alert["_id"]
            log.error("alert %s is not delivered to %s: %s", key, name, delivery.error)
        else:
            self.sent += 1
        while True:
            try:
                self._record(parcel, delivery)
            except PyMongoError as fault:
                log.warning("a delivery is not recorded yet: %s", type(fault).__name__)
                if self._stop_event.wait(RETRY_S):
                    return
            else:
                return

    def _record(self, parcel: _Parcel, delivery: Delivery) -> None:
        with pymongo.timeout(RECORD_S):
            record(self._database, parcel.alert["_id"], self.channel.name, delivery, parcel.wanted)


class Dispatcher:
    """Gives each alert to the couriers whose channels want it, and to each of them once."""

    def __init__(self, couriers: Sequence[Courier]) -> None:
        self.couriers = tuple(couriers)
        self._given: OrderedDict[str, None] = OrderedDict()

    def dispatch(self, alert: Document) -> bool:
        """Hand an alert over unless this process has done so already; returns whether it did."""
        if alert["_id"] in self._given:
            return False
        self._given[alert["_id"]] = None
        if len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        grave = SEVERITIES.index(alert["severity"])
        wanting = [each for each in self.couriers if SEVERITIES.index(each.channel.min_severity) <= grave]
        wanted = tuple(each.channel.name for each in wanting)
        for courier in wanting:
            known = alert.get("deliveries", {}).get(courier.channel.name, {})
            if known.get("state") not in FINAL:
                courier.take(_Parcel(alert, wanted))
        return True
