"""Keeps the live feed whole: has holes filled, and positions recorded once Kafka has all before them."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

from cryptobot.settings import Settings
from cryptobot.storage.gaps import ABSENT, REPAIRED, State
from cryptobot.storage.stream_positions import StreamPosition
from streaming.broker import Publisher
from streaming.continuity.recorder import Recorder
from streaming.continuity.repair import Outcome, Repair
from streaming.continuity.sequence import Hole
from streaming.continuity.streams import Streams, Stretch

log = logging.getLogger(__name__)

EVERY_S = 0.25
RECORD_EVERY = 4
"""Positions are taken at each fourth turn: about every second."""
LONGEST_WAIT_S = 30.0
ATTEMPTS = 7
"""After so many answers without them, for about a minute, events are absent at the source."""
_END_S = 2.0


class Keeper:
    """Watches over the streams from the event loop; all waiting is done in other threads.

    Attributes
    ----------
    repaired, absent
        How many holes were filled, and how many the exchange could not fill.
    """

    def __init__(self, settings: Settings, streams: Streams, publisher: Publisher) -> None:
        self._streams = streams
        self._publisher = publisher
        self._loop = asyncio.get_running_loop()
        self._repair = Repair(settings.rest_url, publisher, self._tell)
        self._recorder = Recorder(settings, self._loaded)
        self._resumed = False
        self._taken: tuple[int, list[StreamPosition]] | None = None
        self._open = 0
        self.repaired = 0
        self.absent = 0

    @property
    def open(self) -> int:
        """How many holes are known and not filled."""
        return self._open

    async def run(self) -> None:
        """Keep watch until cancelled; from then on nothing is refilled any more."""
        self._recorder.start()
        try:
            for turn in count(1):
                await asyncio.sleep(EVERY_S)
                for stretch in self._streams.due():
                    self._begin(stretch)
                if turn % RECORD_EVERY == 0:
                    self.record()
        finally:
            self._repair.close()

    def record(self) -> None:
        """Hand over the positions taken before, if Kafka has acknowledged all of theirs, and take anew."""
        if self._taken is not None:
            published, moved = self._taken
            if self._publisher.settled < published:
                return
            if moved:
                self._recorder.positions(moved)
        if self._resumed:
            published = self._publisher.published
            self._taken = published, self._streams.moved()

    def end(self) -> None:
        """Record the last positions that Kafka has acknowledged."""
        self.record()
        self.record()
        self._recorder.end(_END_S)

    def _begin(self, stretch: Stretch) -> None:
        self._open += len(stretch.holes)
        gaps = [stretch.gap(hole) for hole in stretch.holes]
        log.warning(
            "%s: %d missing in the live stream, from %d to %d; asking by REST",
            _name(stretch),
            sum(hole.last - hole.first + 1 for hole in stretch.holes),
            gaps[0].first,
            gaps[-1].last,
        )
        self._recorder.opened(gaps)
        self._repair.submit(stretch)

    def _tell(self, outcome: Outcome) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._heed, outcome)

    def _heed(self, outcome: Outcome) -> None:
        self._close(outcome.stretch, outcome.filled, REPAIRED)
        self.repaired += len(outcome.filled)
        if not outcome.missing:
            return
        rest = outcome.stretch._replace(holes=outcome.missing)
        if not outcome.asked:
            self._repair.submit(rest)
        elif (attempts := rest.attempts + 1) < ATTEMPTS:
            wait = min(2.0**attempts, LONGEST_WAIT_S)
            self._loop.call_later(wait, self._repair.submit, rest._replace(attempts=attempts))
        else:
            log.error("%s: the exchange does not have what is missing; going on without", _name(rest))
            self._close(rest, rest.holes, ABSENT)
            self.absent += len(rest.holes)

    def _close(self, stretch: Stretch, holes: list[Hole], state: State) -> None:
        for hole in holes:
            stretch.sequence.fill(hole)
        self._open -= len(holes)
        self._recorder.closed([stretch.gap(hole) for hole in holes], state)

    def _loaded(self, positions: list[StreamPosition]) -> None:
        def resume() -> None:
            self._streams.resume(positions)
            self._resumed = True

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resume)


def _name(stretch: Stretch) -> str:
    return f"{stretch.symbol} {'trades' if stretch.interval is None else f'candles of {stretch.interval}'}"
