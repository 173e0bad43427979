"""The exchange's WebSocket streams: all events of many symbols, over connections that renew themselves."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from cryptobot.exchange.openings import OPENINGS, Turnstile, backoff, shares

log = logging.getLogger(__name__)

CONNECTION_AGE_S = 23 * 3_600
"""The exchange ends every connection after 24 h; it is replaced before."""
OVERLAP_S = 2.0
"""How long an old connection is read beside its replacement, from the first frame of that one on."""
SILENCE_S = 10.0
"""A connection without a frame for so long is dead: tickers come each second."""
FRAME_BYTES = 256 * 1024
"""Far more than any event takes, and less than Kafka refuses."""
SETTLED_S = 10.0
"""A connection that lived so long was sound: the next one is opened without long waiting."""
_SHUTDOWN = b'"serverShutdown"'
_AGE_SPREAD = 0.1
"""Connections that were opened together are not all replaced at once."""
_TURNS = 5

Deliver = Callable[[bytes], Awaitable[None] | None]
"""Takes a frame; what it returns, if anything, is awaited before the next one is read."""


class MarketStream:
    """Delivers every frame of a set of streams until it is cancelled.

    The streams are spread over connections. A connection that breaks, or is silent, is opened again with
    backoff and jitter; one that nears its 24 hours, or whose server announces its shutdown, is replaced
    while the old one is still read, so that frames arrive twice rather than not at all. Awaiting what
    ``deliver`` returns holds back the reading, and so, by TCP, the exchange. Pings are answered.

    Attributes
    ----------
    reconnects
        How many connections broke and were opened again.
    handovers
        How many were replaced as planned.
    """

    def __init__(
        self,
        url: str,
        names: Sequence[str],
        deliver: Deliver,
        *,
        age_s: float = CONNECTION_AGE_S,
        silence_s: float = SILENCE_S,
    ) -> None:
        if not names:
            raise ValueError("no streams to follow; name at least one symbol in CRYPTOBOT_SYMBOLS")
        self._urls = [f"{url}/stream?streams={'/'.join(share)}" for share in shares(names)]
        self._deliver = deliver
        self._age_s = age_s
        self._silence_s = silence_s
        self._turnstile = Turnstile(*OPENINGS)
        self.reconnects = 0
        self.handovers = 0

    @property
    def connections(self) -> int:
        """Over how many connections the streams are spread."""
        return len(self._urls)

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
                    retiring = asyncio.create_task(current.retire(session, self._silence_s))
                current = session
                opened = time.monotonic()
                age_s = self._age_s * random.uniform(1 - _AGE_SPREAD, 1)
                if await session.ends_or_expires(age_s, self._silence_s):
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
            await self._turnstile.enter()
            try:
                connection = await connect(
                    url,
                    compression=None,
                    max_size=FRAME_BYTES,
                    max_queue=1024,
                    close_timeout=1,
                    ping_interval=None,  # silence is seen by the frames themselves
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
        self._frames = 0
        self._held = False
        self.reason = "closed"
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        receive, deliver = self._connection.recv, self._deliver
        try:
            while True:
                frame = await receive(decode=False)
                self._frames += 1
                if _SHUTDOWN in frame:
                    self._leaving.set()
                elif (hold := deliver(frame)) is not None:
                    self._held = True
                    await hold
                    self._held = False
        except ConnectionClosed as closed:
            self.reason = str(closed) if self.reason == "closed" else self.reason
        finally:
            await self._connection.close()

    async def ends_or_expires(self, age_s: float, silence_s: float) -> bool:
        """Wait for the session's end (true), or for the time to replace it (false).

        A session whose frames do not come, though nobody holds them back, is ended.
        """
        expires = time.monotonic() + age_s
        leaving = asyncio.create_task(self._leaving.wait())
        seen, silent = -1, 0
        try:
            while not (self.task.done() or leaving.done()) and (left := expires - time.monotonic()) > 0:
                silent = 0 if self._held or self._frames != seen else silent + 1
                if silent > _TURNS:
                    self.reason = f"no frame for {silence_s:g} s"
                    self._connection.transport.abort()
                    await asyncio.wait((self.task,))
                    break
                seen = self._frames
                await asyncio.wait(
                    (self.task, leaving),
                    timeout=min(silence_s / _TURNS, left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            leaving.cancel()
        if self.task.done():
            self.task.result()
        return self.task.done()

    async def retire(self, successor: _Session, limit_s: float) -> None:
        """Read on until the successor's first frame and for the overlap, then close.

        Frames received until then are delivered; the successor is waited for up to ``limit_s`` seconds.
        """
        waited_s = 0.0
        while not (successor._frames or self.task.done()) and waited_s < limit_s:
            await asyncio.wait((self.task,), timeout=OVERLAP_S / _TURNS)
            waited_s += OVERLAP_S / _TURNS
        await asyncio.wait((self.task,), timeout=OVERLAP_S)
        await self._connection.close()
        await self.task
