"""Pacing by the weight that the exchange itself counts, per address and minute.

Every answer carries the weight that *all* processes of this address have used in the running
minute, so each process paces itself by it and none needs to know of the others. What a process
cannot know is what others sent since its last answer: it measures how much they send while it waits
for one, and near the limit keeps a single request under way.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
DEFAULT_LIMIT = 6_000
SHARE = 0.95
"""Share of the limit to use: what is left covers requests that others have under way."""

_MINUTE = 60
_SPREAD_SECONDS = 0.25
"""Not all processes go on in one instant after a wait."""

_FADING = 0.75
"""What is left, after each answer, of the most that others were seen to send within one."""


def weight_limit(info: Mapping[str, Any]) -> int:
    """Return the request weight that exchangeInfo allows an address in a minute."""
    for limit in info.get("rateLimits", []):
        if (limit["rateLimitType"], limit["interval"], limit["intervalNum"]) == (
            "REQUEST_WEIGHT",
            "MINUTE",
            1,
        ):
            return int(limit["limit"])
    return DEFAULT_LIMIT


class Turn:
    """One request that the pace has let go; :meth:`answered` tells it what the exchange counted."""

    def __init__(self, pace: Pace, seen: int, mine: int) -> None:
        self._pace = pace
        self.seen = seen
        """Weight known to be used when the request left."""
        self.mine = mine
        """Weight that this process had sent before the request, less what was already counted."""
        self.counted = False

    def answered(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer: the weight used, and when the exchange's minute ends."""
        self._pace._note(self, headers)


class Pace:
    """The weight used so far by this address, and the wait that it asks for. Thread-safe.

    Parameters
    ----------
    limit
        Weight that the exchange allows an address in a minute (``rateLimits`` of exchangeInfo).
    sleep
        Waits so many seconds.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, sleep: Callable[[float], None] = time.sleep) -> None:
        self._budget = limit * SHARE
        self._sleep = sleep
        self._changed = threading.Condition()
        self._known = False
        self._minute = 0
        self._minute_ends = 0.0
        self._held_until = 0.0
        self._used = 0
        self._under_way = 0
        self._sent = 0
        self._others = limit * (1 - SHARE)

    @contextmanager
    def turn(self, weight: int) -> Iterator[Turn]:
        """Wait until a request of ``weight`` may leave; it is under way until the block ends."""
        turn = self._begin(weight)
        try:
            yield turn
        finally:
            with self._changed:
                self._under_way -= weight
                if not turn.counted:  # it may have arrived all the same
                    self._used += weight
                self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let no request leave for so long: the exchange has refused one."""
        with self._changed:
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def _begin(self, weight: int) -> Turn:
        while True:
            with self._changed:
                until = self._blocked_until(weight)
                if until is None:
                    turn = Turn(self, self._used, self._sent - self._under_way)
                    self._under_way += weight
                    self._sent += weight
                    return turn
                if until == 0:
                    self._changed.wait()
                    continue
            self._sleep(max(0.0, until - time.monotonic()) + random.uniform(0, _SPREAD_SECONDS))
            self._passed(until)

    def _blocked_until(self, weight: int) -> float | None:
        """Return when to look again: None for go, 0 for the next answer, or an instant."""
        now = time.monotonic()
        if now < self._held_until:
            return self._held_until
        if self._known and self._minute_ends <= now:
            self._forget()
        if self._under_way:
            free = self._budget - self._used - self._under_way - self._others
            return None if self._known and weight <= free else 0
        if self._used and self._used + weight > self._budget:
            return self._minute_ends
        return None

    def _passed(self, until: float) -> None:
        with self._changed:
            if self._held_until <= until:
                self._held_until = 0.0
            if self._known and self._minute_ends <= until:
                self._forget()
            self._changed.notify_all()

    def _forget(self) -> None:
        """Begin a minute of which nothing is known yet: one request finds out."""
        self._known, self._used = False, 0

    def _note(self, turn: Turn, headers: Mapping[str, str]) -> None:
        at = parsedate_to_datetime(headers["Date"]).timestamp() if "Date" in headers else time.time()
        minute, second = divmod(int(at), _MINUTE)
        with self._changed:
            if minute < self._minute:  # an answer of a minute that is over
                return
            used = int(headers.get(USED_WEIGHT, 0))
            if minute == self._minute and self._known:
                foreign = used - turn.seen - (self._sent - turn.mine)
                self._others = max(foreign, self._others * _FADING)
                used = max(used, self._used)
            self._known = turn.counted = True
            self._minute, self._used = minute, used
            self._minute_ends = time.monotonic() + _MINUTE - second
