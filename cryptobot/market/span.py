"""Spans: a symbol, an interval and a half-open range of open times to be made or checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptobot.market.instant import EPOCH, from_ms, parse_instant, to_ms
from cryptobot.market.interval import Interval


@dataclass(frozen=True, slots=True)
class Span:
    """Candles of one symbol and interval with open times in ``[start, end)``, UTC."""

    symbol: str
    interval: Interval
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(
                f"{self.symbol} {self.interval}: the range ends ({self.end.isoformat()}) "
                f"before it begins ({self.start.isoformat()})"
            )

    @property
    def start_ms(self) -> int:
        """First open time in the span, ms."""
        return to_ms(self.start)

    @property
    def end_ms(self) -> int:
        """End of the span (exclusive), ms."""
        return to_ms(self.end)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return ``spans`` in order, those of a symbol and interval that touch or overlap made one."""
    whole: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.symbol, each.interval, each.start)):
        last = whole[-1] if whole else None
        if last and (last.symbol, last.interval) == (span.symbol, span.interval) and span.start <= last.end:
            whole[-1] = Span(last.symbol, last.interval, last.start, max(last.end, span.end))
        else:
            whole.append(span)
    return whole


def pieces(span: Span, candles: int) -> Iterator[Span]:
    """Yield ``span`` cut into pieces, each as long as ``candles`` candles; the last may be shorter.

    A month counts by its nominal length, so that a piece holds about so many of them.
    """
    length = timedelta(milliseconds=candles * span.interval.milliseconds)
    start = span.start
    while start < span.end:
        end = start + min(length, span.end - start)
        yield Span(span.symbol, span.interval, start, end)
        start = end


def dump_spans(spans: Iterable[Span]) -> str:
    """Return ``spans`` as the JSON text that jobs take on their command line."""
    return json.dumps(
        [
            {
                "symbol": span.symbol,
                "interval": span.interval.value,
                "start": span.start.isoformat(),
                "end": span.end.isoformat(),
            }
            for span in spans
        ]
    )


def load_spans(text: str) -> list[Span]:
    """Read back what :func:`dump_spans` wrote; raises ``ValueError`` on anything else."""
    try:
        return [
            Span(
                item["symbol"],
                Interval(item["interval"]),
                parse_instant(item["start"]),
                parse_instant(item["end"]),
            )
            for item in json.loads(text)
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"spans are a JSON list of symbol, interval, start, end: {error}") from error


def day_spans(symbols: Iterable[str], intervals: Iterable[str], day: str) -> list[Span]:
    """Return the spans of the candles that close in the UTC day ``YYYY-MM-DD``.

    Of intervals up to a day these are the candles that open in it; a candle of three days, a week or a
    month belongs to the day that ends it. An interval of which none closes in the day is left out.
    """
    start = parse_instant(day)
    end = start + timedelta(days=1)
    spans = []
    for symbol in symbols:
        for interval in map(Interval, intervals):
            if interval.milliseconds <= Interval.DAY_1.milliseconds:
                spans.append(Span(symbol, interval, start, end))
                continue
            open_ms = interval.floor(to_ms(end) - 1)
            if interval.following(open_ms) == to_ms(end):
                spans.append(Span(symbol, interval, from_ms(open_ms), end))
    return spans


def history_spans(
    symbols: Iterable[str],
    intervals: Iterable[str],
    now: datetime,
    days: int | Literal["all"],
    days_1m: int | Literal["all"],
) -> list[Span]:
    """Return the spans that the configured history asks for, up to the open candle at ``now``.

    ``days`` counts back from the UTC midnight after ``now``; intervals up to a minute reach
    back only ``days_1m``. ``"all"`` begins at the epoch: as far as the exchange's record goes.
    """
    spans = []
    for symbol in symbols:
        for interval in map(Interval, intervals):
            reach = days_1m if interval.milliseconds <= 60_000 else days
            start = EPOCH
            if reach != "all":
                midnight = from_ms(Interval.DAY_1.following(Interval.DAY_1.floor(to_ms(now))))
                start = midnight - timedelta(days=reach)
            spans.append(Span(symbol, interval, start, from_ms(interval.floor(to_ms(now)))))
    return spans


def requested_spans(
    symbols: Iterable[str],
    intervals: Iterable[str],
    now: datetime,
    days: int | Literal["all"],
    days_1m: int | Literal["all"],
    *,
    first_day: str | None = None,
    last_day: str | None = None,
) -> list[Span]:
    """Return :func:`history_spans`, narrowed to the UTC days from ``first_day`` to ``last_day``.

    A given ``first_day`` replaces the configured reach. Both days are inclusive; what lies after
    ``now`` is left out. Raises ``ValueError`` when nothing remains of a span.
    """
    spans = history_spans(symbols, intervals, now, days, days_1m)
    start = parse_instant(first_day) if first_day else None
    end = parse_instant(last_day) + timedelta(days=1) if last_day else None
    return [
        Span(
            span.symbol,
            span.interval,
            start or span.start,
            min(end, span.end) if end else span.end,
        )
        for span in spans
    ]
