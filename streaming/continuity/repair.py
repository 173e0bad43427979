"""Filling holes by REST: the missing events are published as if they had come by stream."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from cryptobot.exchange.errors import ExchangeError
from cryptobot.exchange.kline_repair import kline_event
from cryptobot.exchange.rest import RestClient
from cryptobot.exchange.trade_repair import trades_between
from cryptobot.market import Span, topics
from cryptobot.market.instant import from_ms
from streaming.broker import Publisher
from streaming.continuity.sequence import Hole
from streaming.continuity.streams import Stretch
from streaming.documents import REST

log = logging.getLogger(__name__)

WORKERS = 4
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""For so long nobody asks after the exchange has not answered once, twice, and so on."""
Event = dict[str, Any]


class Outcome(NamedTuple):
    """What came of one attempt to fill a stretch: the holes that are whole now, and those that are not.

    ``asked`` is false when the exchange did not answer: nothing is known of the rest.
    """

    stretch: Stretch
    filled: list[Hole]
    missing: list[Hole]
    asked: bool


class StoppedError(Exception):
    """The service stops; what is under way is left as it is."""


class Repair:
    """Fills holes in threads of its own, as many at a time as :data:`WORKERS`.

    ``tell`` is called in those threads with the outcome of each attempt.
    """

    def __init__(self, rest_url: str, publisher: Publisher, tell: Callable[[Outcome], None]) -> None:
        self._exchange = RestClient(rest_url, ahead=1, sleep=self._sleep)
        self._publisher = publisher
        self._tell = tell
        self._stretches: queue.SimpleQueue[Stretch] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._failures = 0
        self._not_before = 0.0
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"repair-{number}", daemon=True).start()

    def submit(self, stretch: Stretch) -> None:
        """Fill ``stretch`` soon."""
        self._stretches.put(stretch)

    def close(self) -> None:
        """Stop at the next event; what is left is found again by the position."""
        self._stopping.set()
        self._exchange.close()

    def _work(self) -> None:
        while not self._stopping.is_set():
            stretch = self._stretches.get()
            try:
                self._sleep(max(self._not_before - time.monotonic(), 0))
                outcome = self._fill(stretch)
            except StoppedError:
                return
            self._failures = 0 if outcome.asked else self._failures + 1
            if self._failures:  # nobody asks for a while: an exchange that refuses is not pressed
                self._not_before = time.monotonic() + PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]
            self._tell(outcome)

    def _fill(self, stretch: Stretch) -> Outcome:
        left = {id(hole): hole.last - hole.first + 1 for hole in stretch.holes}
        asked = True
        try:
            for hole, event in _within(stretch.holes, self._events(stretch)):
                self._publish(stretch, event)
                left[id(hole)] -= 1
        except ExchangeError as error:
            asked = False
            log.warning("a hole in the live feed cannot be filled yet: %s", error)
        except Exception as error:  # whatever the answer holds, the stretch is tried again
            if self._stopping.is_set():
                raise StoppedError from error
            asked = False
            log.exception("a hole in the live feed of %s cannot be filled yet", stretch.symbol)
        filled = [hole for hole in stretch.holes if not left[id(hole)]]
        missing = [hole for hole in stretch.holes if left[id(hole)]]
        return Outcome(stretch, filled, missing, asked)

    def _events(self, stretch: Stretch) -> Iterator[tuple[int, Event]]:
        """Yield what the exchange lists from the first hole to the last, numbered, in order."""
        first, last = stretch.holes[0].first, stretch.holes[-1].last
        symbol, interval = stretch.symbol, stretch.interval
        if interval is None:
            since = from_ms(stretch.holes[0].since_ms)
            for events in trades_between(self._exchange, symbol, first, last, since):
                yield from ((event["t"], event) for event in events)
            return
        start, end = interval.opening(first), interval.following(interval.opening(last))
        span = Span(symbol, interval, from_ms(start), from_ms(end))
        for rows in self._exchange.klines(span, span.end):  # all of them have closed
            for row in rows:
                yield interval.place(row[0]), kline_event(symbol, interval, row)

    def _publish(self, stretch: Stretch, event: Event) -> None:
        while self._publisher.full and not self._stopping.is_set():
            self._stopping.wait(0.05)
        if self._stopping.is_set():
            raise StoppedError
        name = (
            f"{stretch.symbol.lower()}@{'trade' if stretch.interval is None else f'kline_{stretch.interval}'}"
        )
        message = {
            "stream": name,
            "data": event,
            "source": REST,
            "received_at": time.time_ns() // 1_000_000,
        }
        topic = topics.TRADES if stretch.interval is None else topics.KLINES
        self._publisher.publish(topic, orjson.dumps(message), stretch.symbol.encode())

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise StoppedError


def _within(holes: list[Hole], events: Iterable[tuple[int, Event]]) -> Iterator[tuple[Hole, Event]]:
    """Yield the events whose number lies in a hole, each number once, with that hole."""
    waiting = iter(holes)
    hole = next(waiting)
    before = None
    for number, event in events:
        while number > hole.last:
            following = next(waiting, None)
            if following is None:
                return
            hole = following
        if number >= hole.first and number != before:
            yield hole, event
        before = number
