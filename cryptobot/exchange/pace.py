"""Pacing by the weight that the exchange itself counts, per address and minute.

Every answer carries the weight that *all* processes of this address have used in the running
minute, so each process paces itself by it and none needs to know of the others.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
DEFAULT_LIMIT = 6_000
SHARE = 0.95
"""Share of the limit to use: what is left covers requests that others have under way."""


class Pace:
    """The weight used so far, and the wait that it asks for.

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
        self._used = 0
        self._minute_ends = 0.0

    def before(self, weight: int) -> None:
        """Wait for the exchange's next minute where ``weight`` more would pass the budget."""
        remaining = self._minute_ends - time.monotonic()
        if remaining > 0 and self._used + weight > self._budget:
            self._sleep(remaining + random.uniform(0, 0.25))  # not all processes in one instant

    def after(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer: the weight used, and when the exchange's minute ends."""
        if USED_WEIGHT not in headers:
            return
        self._used = int(headers[USED_WEIGHT])
        second = parsedate_to_datetime(headers["Date"]).second if "Date" in headers else time.gmtime().tm_sec
        self._minute_ends = time.monotonic() + 60 - second
