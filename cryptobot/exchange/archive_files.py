"""The public archive's files: their names, and which of them cover a span.

Follows the notes of the archive itself (``binance-public-data``): a file a day for intervals up to
one day, a file a month for all; the month's own interval is spelled ``1mo`` there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span

LAG = timedelta(days=2)
"""A day's file is published on the day after; what is older than this is looked for in the archive."""


class Period(StrEnum):
    """How much time a file covers, as in its path."""

    DAILY = "daily"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One published zip: all candles of a symbol and interval that open in ``[start, end)``."""

    symbol: str
    interval: Interval
    period: Period
    start: datetime

    @property
    def end(self) -> datetime:
        """End (exclusive) of the day or month."""
        unit = Interval.DAY_1 if self.period is Period.DAILY else Interval.MONTH_1
        return from_ms(unit.following(to_ms(self.start)))

    @property
    def name(self) -> str:
        """The zip's name, such as ``BTCUSDT-1m-2025-10-29.zip``."""
        at = f"{self.start:%Y-%m-%d}" if self.period is Period.DAILY else f"{self.start:%Y-%m}"
        return f"{self.symbol}-{_spelled(self.interval)}-{at}.zip"

    @property
    def path(self) -> str:
        """The zip's path on the archive's host."""
        return f"/data/spot/{self.period}/klines/{self.symbol}/{_spelled(self.interval)}/{self.name}"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a span, and the file that covers it."""

    span: Span
    file: ArchiveFile

    def days(self) -> list[Part]:
        """Return the same part by the days' files; none where there are no files of days."""
        if self.file.period is Period.DAILY or not has_days(self.file.interval):
            return []
        return list(_daily(self.span))


def has_days(interval: Interval) -> bool:
    """Tell whether the archive has a file a day for ``interval``."""
    return interval.milliseconds <= Interval.DAY_1.milliseconds


def split(span: Span, now: datetime) -> tuple[Span | None, Span | None]:
    """Return the part of ``span`` to look for in the archive, and the part that only REST has.

    The archive's is what opens more than :data:`LAG` before the UTC day of ``now``. Candles longer
    than a day are few, and straddle the ends of months: REST has them all.
    """
    if not has_days(span.interval):
        return None, span
    published = from_ms(Interval.DAY_1.floor(to_ms(now - LAG)))
    if span.end <= published:
        return span, None
    if span.start >= published:
        return None, span
    older = Span(span.symbol, span.interval, span.start, published)
    return older, Span(span.symbol, span.interval, published, span.end)


def cover(span: Span) -> Iterator[Part]:
    """Yield the files that cover ``span``, in order: whole months by the month, the rest by the day.

    Seconds are always read by the day, so that a file (86,400 candles at most) fits into memory;
    candles longer than a day always by the month, because they have no other files.
    """
    if not has_days(span.interval):
        yield from _monthly(span)
        return
    for month in _monthly(span):
        file, part = month.file, month.span
        whole = part.start == file.start and part.end == file.end
        if whole and span.interval is not Interval.SECOND_1:
            yield month
        else:
            yield from _daily(part)


def _monthly(span: Span) -> Iterator[Part]:
    return _parts(span, Period.MONTHLY, Interval.MONTH_1)


def _daily(span: Span) -> Iterator[Part]:
    return _parts(span, Period.DAILY, Interval.DAY_1)


def _parts(span: Span, period: Period, unit: Interval) -> Iterator[Part]:
    start_ms = unit.floor(span.start_ms)
    while start_ms < span.end_ms:
        file = ArchiveFile(span.symbol, span.interval, period, from_ms(start_ms))
        part = Span(span.symbol, span.interval, max(span.start, file.start), min(span.end, file.end))
        yield Part(part, file)
        start_ms = unit.following(start_ms)


def _spelled(interval: Interval) -> str:
    return "1mo" if interval is Interval.MONTH_1 else interval.value
