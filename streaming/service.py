"""What the stream services share: log, stop by signal, heartbeat, and metrics."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import orjson
import pymongo
from pymongo.errors import PyMongoError

from cryptobot.market.topics import HEARTBEAT
from cryptobot.settings import Settings
from cryptobot.storage import health
from cryptobot.storage.database import connect
from streaming.broker import Publisher
from streaming.metrics import Tally, counted, measured, serve

log = logging.getLogger(__name__)

LOG_EVERY_BEATS = 12
RETRY_S = 1.0
_PROBLEM_CHARS = 300


def start_logging() -> None:
    """Log to standard output; libraries only when something is wrong."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    quiet_kafka()


def quiet_kafka() -> None:
    """Silence the client's own lines: ours tell when Kafka is away."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM or SIGINT sets."""
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    return stop


@dataclass(slots=True)
class Pulse:
    """How a service is, as its heartbeat and its metrics tell it; the service updates it as it goes."""

    messages: int = counted("Messages taken.")
    bytes: int = counted("Bytes of the messages taken.")
    stored: int = counted("Documents that were new; only the sink has them.")
    dead_letters: int = counted("Messages that became dead letters.")
    reconnects: int = counted("Connections that broke and were opened again.")
    lag: int | None = measured("Messages in the topics that are not taken yet; only consumers have them.")
    last_event_at: datetime | None = measured("When the last message was taken.")  # noqa: RUF009 - a field
    problem: str | None = None


def wait_out(pulse: Pulse, stop: threading.Event, problem: str) -> None:
    """Take note that a service cannot go on, log it when it is new, and wait a while, or for the stop."""
    if pulse.problem is None:
        log.warning("%s; trying again", problem[:_PROBLEM_CHARS])
    pulse.problem = problem[:_PROBLEM_CHARS]
    stop.wait(RETRY_S)


class Heartbeat(threading.Thread):
    """Tells every five seconds, on Kafka and in ``service_health``, that a service lives.

    While it beats, the same figures and the ``tallies`` are served to Prometheus.
    """

    def __init__(
        self,
        service: str,
        settings: Settings,
        publisher: Publisher,
        sample: Callable[[], Pulse],
        tallies: Sequence[Tally] = (),
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.instance = f"{os.getpid()}@{socket.gethostname()}"
        self._service = service
        self._database = connect(settings)
        self._publisher = publisher
        self._sample = sample
        self._ending = threading.Event()
        self._stored = True
        self._metrics = partial(serve, settings.metrics_port, service, sample, tallies)

    def run(self) -> None:
        """Beat until :meth:`end`."""
        withdraw_metrics = self._metrics()
        try:
            self._beat_on()
        finally:
            withdraw_metrics()

    def _beat_on(self) -> None:
        beats, logged = 0, 0
        while True:
            pulse = self._sample()
            self._beat(pulse)
            beats += 1
            if beats % LOG_EVERY_BEATS == 0:
                rate = (pulse.messages - logged) / (LOG_EVERY_BEATS * health.REPORT_EVERY_SECONDS)
                logged = pulse.messages
                log.info(
                    "%d messages, %.1f/s in the last minute, %d stored, %d dead letters, %d reconnects%s",
                    pulse.messages,
                    rate,
                    pulse.stored,
                    pulse.dead_letters,
                    pulse.reconnects,
                    f"; {pulse.problem}" if pulse.problem else "",
                )
            if self._ending.wait(health.REPORT_EVERY_SECONDS):
                return

    def end(self) -> None:
        """Stop beating, and take the instance off the record."""
        self._ending.set()
        self.join(timeout=2)
        try:
            with pymongo.timeout(1):
                health.withdraw_health(self._database, self._service, self.instance)
        except PyMongoError as error:
            log.warning("the health record stays behind: MongoDB is away (%s)", type(error).__name__)

    def _beat(self, pulse: Pulse) -> None:
        detail: dict[str, Any] = {
            **asdict(pulse),
            "waiting_for_kafka": self._publisher.waiting,
        }
        beat = {"service": self._service, "instance": self.instance, "at": datetime.now(UTC), **detail}
        self._publisher.announce(HEARTBEAT, orjson.dumps(beat), self._service.encode())
        healthy = pulse.problem is None and self._publisher.answered
        state: Literal["healthy", "unhealthy"] = "healthy" if healthy else "unhealthy"
        try:
            with pymongo.timeout(2):
                health.report_health(self._database, self._service, self.instance, state, detail)
        except PyMongoError as error:
            if self._stored:
                log.warning("health cannot be recorded, MongoDB is away: %s", type(error).__name__)
            self._stored = False
        else:
            self._stored = True
