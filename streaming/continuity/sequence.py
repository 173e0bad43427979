"""One stream's numbers as they come: where it is without a hole, and which holes wait to be filled."""

from __future__ import annotations

from dataclasses import dataclass

RENUMBERED_MS = 60_000
"""A number from before that comes with a time so much later was not repeated: the exchange counts anew."""


@dataclass(slots=True, eq=False)
class Hole:
    """Numbers ``first`` to ``last`` that did not come.

    ``since_ms`` is the market's time at which the stream was still whole, ``found_s`` when the hole was
    seen by the monotonic clock, ``taken`` says that somebody is filling it: it then stays as it is.
    """

    first: int
    last: int
    since_ms: int
    found_s: float
    taken: bool = False


class Sequence:
    """Follows numbers that rise by one: trade ids, or places of candles on their grid.

    All numbers from the first one on that are below :attr:`next` have come, but for the holes, which are
    in order and apart. A number that is due costs one comparison and two assignments.

    Attributes
    ----------
    next
        The number after the highest that came; None before the first.
    time_ms
        The market's time of that highest number.
    """

    __slots__ = ("_base", "holes", "next", "time_ms")

    def __init__(self) -> None:
        self.next: int | None = None
        self.time_ms = 0
        self.holes: list[Hole] = []
        self._base = 0

    @property
    def position(self) -> int | None:
        """The number up to which nothing is missing; None before the first."""
        if self.next is None:
            return None
        return (self.holes[0].first if self.holes else self.next) - 1

    @property
    def position_ms(self) -> int:
        """The market's time at the position, or before it."""
        return self.holes[0].since_ms if self.holes else self.time_ms

    def offer(self, number: int, time_ms: int, now_s: float) -> None:
        """Take note of a number that came, in whatever order."""
        if self.next is None:
            self.begin(number, time_ms)
            self.next = number + 1
        elif number >= self.next:
            self.expect(number - 1, now_s)
            self.next = number + 1
            self.time_ms = time_ms
        elif time_ms > self.time_ms + RENUMBERED_MS:
            self.begin(number, time_ms)
            self.next = number + 1
        else:
            self._late(number)

    def begin(self, number: int, time_ms: int) -> None:
        """Expect ``number`` next, and nothing before it."""
        self._base = self.next = number
        self.time_ms = time_ms
        self.holes.clear()

    def expect(self, last: int, now_s: float) -> None:
        """Make a hole of all numbers up to ``last`` that have neither come nor are one already."""
        if self.next is None or last < self.next:
            return
        self.holes.append(Hole(self.next, last, self.time_ms, now_s))
        self.next = last + 1

    def resume(self, position: int, time_ms: int, now_s: float) -> None:
        """Go on from a position of before: what lies between it and the first number that came is a hole."""
        if self.next is None:
            self.begin(position + 1, time_ms)
        elif position >= self.next:
            if self.time_ms <= time_ms + RENUMBERED_MS:
                self.begin(position + 1, time_ms)
        elif position + 1 < self._base:
            self.holes.insert(0, Hole(position + 1, self._base - 1, time_ms, now_s))
            self._base = position + 1

    def due(self, before_s: float) -> list[Hole]:
        """Return the holes found before ``before_s`` that nobody fills; they are taken by that."""
        found = [hole for hole in self.holes if not hole.taken and hole.found_s <= before_s]
        for hole in found:
            hole.taken = True
        return found

    def fill(self, hole: Hole) -> None:
        """Close a hole: its numbers have come by another way, or never were."""
        self.holes = [other for other in self.holes if other is not hole]

    def _late(self, number: int) -> None:
        for at in range(len(self.holes) - 1, -1, -1):
            hole = self.holes[at]
            if number > hole.last:
                return
            if number < hole.first:
                continue
            if hole.taken:
                return
            rest = [
                Hole(first, last, hole.since_ms, hole.found_s)
                for first, last in ((hole.first, number - 1), (number + 1, hole.last))
                if first <= last
            ]
            self.holes[at : at + 1] = rest
            return
