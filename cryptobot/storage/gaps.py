"""Repository of ``gaps``: holes in the candles' grid, found, recorded and never filled by invention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from pymongo import DeleteOne, UpdateOne
from pymongo.database import Database

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.span import Span
from cryptobot.storage.collections import GAPS
from cryptobot.storage.database import Document

State = Literal["open", "repaired", "absent at the source"]
OPEN: State = "open"
REPAIRED: State = "repaired"
ABSENT: State = "absent at the source"


class Hole(NamedTuple):
    """A gap as recorded: open times in ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int
    state: State
    found_by: str


def find_gaps(span: Span, open_times: Iterable[datetime]) -> Iterator[Span]:
    """Yield the runs of missing candles among ``open_times``, which are in order, within ``span``.

    A gap begins at the first missing open time and ends, exclusive, where candles go on.
    """
    interval = span.interval
    expected_ms = interval.ceil(span.start_ms)
    for open_time in open_times:
        slot_ms = interval.floor(to_ms(open_time))
        if slot_ms > expected_ms:
            yield Span(span.symbol, interval, from_ms(expected_ms), from_ms(slot_ms))
        expected_ms = interval.following(slot_ms)
    if expected_ms < span.end_ms:
        yield Span(span.symbol, interval, from_ms(expected_ms), span.end)


def record_states(
    database: Database[Document], span: Span, gaps: Iterable[tuple[Span, State]], *, found_by: str
) -> int:
    """Record the span's gaps as they are now, and return how many they are.

    Recorded ones that are filled are marked repaired. Of a gap that reaches over the span's border,
    only the part within is judged anew; parts that touch and are alike become one.
    """
    found = [Hole(gap.start_ms, gap.end_ms, state, found_by) for gap, state in gaps]
    recorded = unrepaired(database, span)
    holes, repaired = redraw(recorded, span.start_ms, span.end_ms, found)
    now = {hole.start_ms: hole for hole in [*repaired, *holes]}
    before = {hole.start_ms: hole for hole in recorded}
    updates: list[UpdateOne | DeleteOne] = [
        UpdateOne({"_id": _key(span, start)}, {"$set": _document(span, hole)}, upsert=True)
        for start, hole in now.items()
        if before.get(start) != hole
    ]
    updates += [DeleteOne({"_id": _key(span, start)}) for start in before.keys() - now.keys()]
    if updates:
        database[GAPS].bulk_write(updates, ordered=False)
    return len(found)


def redraw(
    recorded: Iterable[Hole], start_ms: int, end_ms: int, found: Iterable[Hole]
) -> tuple[list[Hole], list[Hole]]:
    """Return the holes after ``[start_ms, end_ms)`` was looked at anew, and what of them is filled.

    ``recorded`` are those known before that reach into or touch it, ``found`` those that are there now.
    """
    before = sorted(recorded)
    outside = [
        hole._replace(start_ms=start, end_ms=end)
        for hole in before
        for start, end in (
            (hole.start_ms, min(hole.end_ms, start_ms)),
            (max(hole.start_ms, end_ms), hole.end_ms),
        )
        if start < end
    ]
    holes: list[Hole] = []
    for hole in sorted([*outside, *found]):
        last = holes[-1] if holes else None
        if last and last.end_ms == hole.start_ms and last.state == hole.state:
            holes[-1] = last._replace(end_ms=hole.end_ms)
        else:
            holes.append(hole)
    filled = []
    for hole in before:
        at = hole.start_ms
        for there in (there for there in holes if there.end_ms > at and there.start_ms < hole.end_ms):
            if there.start_ms > at:
                filled.append(Hole(at, there.start_ms, REPAIRED, hole.found_by))
            at = max(at, there.end_ms)
        if at < hole.end_ms:
            filled.append(Hole(at, hole.end_ms, REPAIRED, hole.found_by))
    return holes, filled


def unrepaired(database: Database[Document], span: Span) -> list[Hole]:
    """Return the recorded holes, open or absent at the source, that reach into the span or touch it."""
    touching = {
        "symbol": span.symbol,
        "interval": span.interval.value,
        "kind": {"$exists": False},
        "state": {"$ne": REPAIRED},
        "from": {"$lte": span.end},
        "to": {"$gte": span.start},
    }
    return [
        Hole(to_ms(gap["from"]), to_ms(gap["to"]), gap["state"], gap.get("found_by", ""))
        for gap in database[GAPS].find(touching)
    ]


def _key(span: Span, start_ms: int) -> str:
    return f"{span.symbol}|{span.interval}|{start_ms}"


def _document(span: Span, hole: Hole) -> Document:
    return {
        "symbol": span.symbol,
        "interval": span.interval.value,
        "from": from_ms(hole.start_ms),
        "to": from_ms(hole.end_ms),
        "found_by": hole.found_by,
        "state": hole.state,
    }
