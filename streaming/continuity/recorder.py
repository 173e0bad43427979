"""Positions and holes on record in MongoDB, by a thread of its own that outlasts its absence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

import pymongo
from pymongo.errors import PyMongoError

from cryptobot.settings import Settings
from cryptobot.storage import live_gaps
from cryptobot.storage.database import connect
from cryptobot.storage.gaps import State
from cryptobot.storage.live_gaps import LiveGap
from cryptobot.storage.stream_positions import StreamPosition, load_positions, save_positions

log = logging.getLogger(__name__)

FOUND_BY = "producer"
_RETRY_S = 1.0
_TIMEOUT_S = 5.0
_MOST_GAPS = 10_000
"""So many holes wait for MongoDB; of further ones only the positions tell."""


class Recorder(threading.Thread):
    """Reads the positions once, tells ``loaded`` in its own thread, and writes what it is given.

    All of it is best effort: while MongoDB is away the newest positions and the holes wait here.
    """

    def __init__(self, settings: Settings, loaded: Callable[[list[StreamPosition]], None]) -> None:
        super().__init__(name="recorder", daemon=True)
        self._database = connect(settings)
        self._exchange = settings.exchange
        self._symbols = settings.symbols
        self._loaded = loaded
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._positions: dict[str, StreamPosition] = {}
        self._opened: list[LiveGap] = []
        self._closed: list[tuple[LiveGap, State]] = []
        self._answered = True

    def positions(self, moved: Iterable[StreamPosition]) -> None:
        """Record positions soon; of one stream's, the newest."""
        with self._lock:
            self._positions.update((one.key, one) for one in moved)
        self._wake.set()

    def opened(self, gaps: Iterable[LiveGap]) -> None:
        """Record holes as open soon."""
        with self._lock:
            self._opened = [*self._opened, *gaps][-_MOST_GAPS:]
        self._wake.set()

    def closed(self, gaps: Iterable[LiveGap], state: State) -> None:
        """Record what has become of holes soon."""
        with self._lock:
            self._closed = [*self._closed, *((gap, state) for gap in gaps)][-_MOST_GAPS:]
        self._wake.set()

    def end(self, timeout_s: float) -> None:
        """Write what waits and stop, within about ``timeout_s`` seconds."""
        self._ending.set()
        self._wake.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Read, then write until :meth:`end`."""
        while not self._try(self._load) and not self._ending.wait(_RETRY_S):
            pass
        while not self._ending.is_set():
            self._wake.wait()
            self._wake.clear()
            while not self._try(self._write) and not self._ending.wait(_RETRY_S):
                pass
        self._try(self._write)

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            with pymongo.timeout(_TIMEOUT_S):
                act()
        except PyMongoError as error:
            if self._answered:
                log.warning("positions are not recorded, MongoDB is away: %s", type(error).__name__)
            self._answered = False
        else:
            self._answered = True
        return self._answered

    def _load(self) -> None:
        self._loaded(load_positions(self._database, self._exchange, self._symbols))

    def _write(self) -> None:
        with self._lock:
            positions, opened, closed = self._positions, self._opened, self._closed
            self._positions, self._opened, self._closed = {}, [], []
        try:
            live_gaps.record_open(self._database, opened, found_by=FOUND_BY)
            for gap, state in closed:
                live_gaps.mark(self._database, [gap], state)
            save_positions(self._database, self._exchange, positions.values())
        except PyMongoError:
            with self._lock:
                self._positions = positions | self._positions
                self._opened = opened + self._opened
                self._closed = closed + self._closed
            raise
