"""How streams are spread over connections, and how often connections are opened: the exchange's limits."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

log = logging.getLogger(__name__)

STREAMS_PER_CONNECTION = 200
ADDRESS_CHARACTERS = 6_000
"""So many streams at most, of the 1,024 that the exchange allows, and only as many as an address holds:
servers refuse one above 8,190 characters. Named in the address, streams need no SUBSCRIBE, of which the
exchange takes five a second, and none can be lost on its way."""
OPENINGS = (250, 300.0)
"""So many connections are opened in so many seconds, of the 300 in 5 min that the exchange allows."""
BACKOFF_S = (0.2, 30.0)


def stream_names(symbols: Iterable[str], intervals: Sequence[str]) -> list[str]:
    """Return the streams of trades, of klines in each interval and of mini tickers of ``symbols``."""
    return [
        f"{symbol.lower()}@{kind}"
        for symbol in symbols
        for kind in ("trade", *(f"kline_{interval}" for interval in intervals), "miniTicker")
    ]


def backoff(first_s: float = BACKOFF_S[0], most_s: float = BACKOFF_S[1]) -> Iterator[float]:
    """Yield waits in seconds that double up to ``most_s``, each with a jitter of half its length."""
    wait = first_s
    while True:
        yield wait * random.uniform(0.5, 1.0)
        wait = min(wait * 2, most_s)


def shares(names: Sequence[str]) -> list[list[str]]:
    """Return ``names`` cut for connections; the streams of one symbol, side by side, stay together."""
    cut: list[list[str]] = []
    for _, of_symbol in groupby(names, lambda name: name.partition("@")[0]):
        streams = list(of_symbol)
        together = [*cut[-1], *streams] if cut else streams
        if cut and len(together) <= STREAMS_PER_CONNECTION and len("/".join(together)) <= ADDRESS_CHARACTERS:
            cut[-1] = together
        else:
            cut.append(streams)
    return cut


class Turnstile:
    """Lets so many through in so many seconds; the others wait."""

    def __init__(self, count: int, seconds: float) -> None:
        self._passed: deque[float] = deque(maxlen=count)
        self._seconds = seconds

    async def enter(self) -> None:
        """Return when it is allowed, at once as long as few have come."""
        now = at = time.monotonic()
        if len(self._passed) == self._passed.maxlen:
            at = max(now, self._passed[0] + self._seconds)
        self._passed.append(at)
        if at > now:
            log.warning("so many connections were opened of late that the next one waits %.0f s", at - now)
            await asyncio.sleep(at - now)
