"""What the grid misses after a span was read: recorded as gaps, never filled by invention."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from pymongo.database import Database

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.span import Span
from cryptobot.storage import candles, quarantine
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import ABSENT, OPEN, State, find_gaps, record_states
from spark_jobs.plan import months
from spark_jobs.tally import Tally

FOUND_BY = "historical_data"


def chart(database: Database[Document], tally: Tally) -> int:
    """Record the span's gaps as they are now, and return how many candles they miss.

    The source was asked for them and has none; only where it has a row that is quarantined may a
    candle still come.
    """
    span = tally.span
    gaps: list[tuple[Span, State]] = []
    if tally.rows - tally.off_grid < slots(span):  # otherwise each place of the grid has its candle
        quarantined = quarantine.open_times(database, span)
        waiting = sorted({span.interval.floor(to_ms(at)) for at in quarantined})
        for part in _incomplete(database, tally):
            gaps += split(find_gaps(part, candles.open_times(database, part)), waiting)
    record_states(database, span, gaps, found_by=FOUND_BY)
    return sum(slots(gap) for gap, _ in gaps)


def _incomplete(database: Database[Document], tally: Tally) -> list[Span]:
    """Return the parts of the span in which candles may be missing.

    Where each stored candle is one of the source's and on the grid, a month of which the count is right
    need not be looked at.
    """
    if tally.off_grid or tally.stored != tally.rows:
        return [tally.span]
    return [part for part in months(tally.span) if candles.count(database, part) < slots(part)]


def slots(span: Span) -> int:
    """Return how many candles the grid has in ``span``."""
    return span.interval.candles_between(span.start_ms, span.end_ms)


def split(gaps: Iterable[Span], waiting: Sequence[int]) -> Iterator[tuple[Span, State]]:
    """Yield the ``gaps``, cut where a quarantined row says that there is something after all.

    ``waiting`` are the open times on the grid, in ms and in order, that have such a row.
    """
    for gap in gaps:
        interval = gap.interval
        start_ms = gap.start_ms
        within = slice(bisect_left(waiting, gap.start_ms), bisect_left(waiting, gap.end_ms))
        for slot_ms in waiting[within]:
            if slot_ms > start_ms:
                yield Span(gap.symbol, interval, from_ms(start_ms), from_ms(slot_ms)), ABSENT
            start_ms = min(interval.following(slot_ms), gap.end_ms)
            yield Span(gap.symbol, interval, from_ms(slot_ms), from_ms(start_ms)), OPEN
        if start_ms < gap.end_ms:
            yield Span(gap.symbol, interval, from_ms(start_ms), gap.end), ABSENT
