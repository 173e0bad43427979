"""Cutting a span into windows that hold a bounded number of candles of the grid."""

from __future__ import annotations

from collections.abc import Iterator

from cryptobot.market.instant import from_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span


def cut(span: Span, candles: int) -> Iterator[Span]:
    """Yield consecutive pieces of ``span``, each with at most ``candles`` open times of the grid.

    A piece ends one millisecond after its last open time of the grid, so that a full page of
    candles on the grid ends exactly with its window and needs no further request to prove it; what
    opens off the grid thereafter belongs to the next piece.
    """
    start = span.start_ms
    while start < span.end_ms:
        end = _boundary(span.interval, start, candles)
        if span.interval.candles_between(end, min(end + _reach(span.interval), span.end_ms)) == 0:
            end = span.end_ms
        yield Span(span.symbol, span.interval, from_ms(start), from_ms(end))
        start = end


def _reach(interval: Interval) -> int:
    """Return a length in which at least one candle of the grid opens."""
    return interval.milliseconds + (2 * 86_400_000 if interval is Interval.MONTH_1 else 0)


def _boundary(interval: Interval, start_ms: int, candles: int) -> int:
    last = interval.ceil(start_ms)
    if interval is not Interval.MONTH_1:
        return last + (candles - 1) * interval.milliseconds + 1
    for _ in range(candles - 1):
        last = interval.following(last)
    return last + 1
