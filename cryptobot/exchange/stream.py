"""The exchange's WebSocket streams: all events of many symbols, over connections that renew themselves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

log = logging.getLogger(__name__)

STREAMS_PER_CONNECTION = 200
"""Of the 1,024 that the exchange allows; the address of so many still fits any server's limit."""
CONNECTION_AGE_S = 23 * 3_600
"""The exchange ends every connection after 24 h; it is replaced before."""
OVERLAP_S = 2.0
"""How long an old connection is read beside its replacement."""
FRAME_BYTES = 256 * 1024
"""Far more than any event takes, and less than Kafka refuses."""
BACKOFF_S = (0.2, 30.0)
SETTLED_S = 10.0
"""A connection that lived so long was sound: the next one is opened without long waiting."""
_SHUTDOWN = b'"serverShutdown"'

Deliver = Callable[[bytes], Awaitable[None]]


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


class MarketStream:
    """Delivers every frame of a set of streams until it is cancelled.

    The streams are spread over connections. A connection that breaks is opened again with backoff
    and jitter; one that nears its 24 hours, or whose server announces its shutdown, is replaced
    while the old one is still read, so that frames arrive twice rather than not at all. Awaiting
    ``deliver`` holds back the reading, and so, by TCP, the exchange.

    Attributes
    ----------
    reconnects
        How many connections broke and were opened again.
    handovers
        How many were replaced as planned.
    """

    def __init__(
        self, url: str, names: Sequence[str], deliver: Deliver, *, age_s: float = CONNECTION_AGE_S
    ) -> None:
        if not names:
            raise ValueError("no streams to follow; name at least one symbol in CRYPTOBOT_SYMBOLS")
        self._urls = [
            f"{url}/stream?streams={'/'.join(names[at : at + STREAMS_PER_CONNECTION])}"
            for at in range(0, len(names), STREAMS_PER_CONNECTION)
        ]
        self._deliver = deliver
        self._age_s = age_s
        self.reconnects = 0
        self.handovers = 0

    async def run(self) -> None:
        """Follow all streams; returns only by cancellation."""
        async with asyncio.TaskGroup() as group:
            for url in self._urls:
                group.create_task(self._follow(url))

    async def _follow(self, url: str) -> None:
        waits = backoff()
        current: _Session | None = None
        retiring: asyncio.Task[None] | None = None
        try:
            while True:
                session = await self._open(url, waits)
                if current is not None:
                    self.handovers += 1
                    retiring = asyncio.create_task(current.retire())
                current = session
                opened = time.monotonic()
                if await session.ends_or_expires(self._age_s):
                    log.warning("the exchange's stream ended: %s; connecting again", session.reason)
                    self.reconnects += 1
                    current = None
                if time.monotonic() - opened > SETTLED_S:
                    waits = backoff()
                await asyncio.sleep(next(waits))  # a session to be replaced is read meanwhile
        finally:
            for task in (retiring, current.task if current else None):
                if task is not None:
                    task.cancel()

    async def _open(self, url: str, waits: Iterator[float]) -> _Session:
        while True:
            try:
                connection = await connect(
                    url, compression=None, max_size=FRAME_BYTES, max_queue=1024, close_timeout=1
                )
                return _Session(connection, self._deliver)
            except (OSError, TimeoutError, WebSocketException) as error:
                wait = next(waits)
                log.warning("the exchange's stream cannot be opened: %s; again in %.1f s", error, wait)
                await asyncio.sleep(wait)


class _Session:
    """One connection from its opening to its end, read by a task of its own."""

    def __init__(self, connection: ClientConnection, deliver: Deliver) -> None:
        self._connection = connection
        self._deliver = deliver
        self._leaving = asyncio.Event()
        self.reason = "closed"
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._connection.recv(decode=False)
                if _SHUTDOWN in frame:
                    self._leaving.set()
                else:
                    await self._deliver(frame)
        except ConnectionClosed as closed:
            self.reason = str(closed)
        finally:
            await self._connection.close()

    async def ends_or_expires(self, age_s: float) -> bool:
        """Wait for the session's end (true), or for the time to replace it (false)."""
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait((self.task, leaving), timeout=age_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if self.task.done():
            self.task.result()
        return self.task.done()

    async def retire(self) -> None:
        """Read on for the overlap, then close; frames received until then are delivered."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.task), OVERLAP_S)
        await self._connection.close()
        await self.task
