"""The candles of a range as assets to be checked, with what is known of the range beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pymongo.database import Database

from cryptobot.market.instant import EPOCH, from_ms, to_ms
from cryptobot.market.span import Span
from cryptobot.storage import candles
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.quality_inputs import absent_ranges, corrected, quarantined
from expectations.baseline import baseline_of
from expectations.frames import candle_frame
from expectations.records import LISTED
from expectations.suites import PANDAS_TYPES, CandleFacts, historical_suite
from expectations.validation import Asset

LARGE_ROWS = 200_000
"""Candles of one range from which on it is checked by Spark: about 200 MB as a pandas frame."""

NEAR = timedelta(hours=1)
"""A range that ends within this of the exchange's clock reaches the present."""

LATE_CANDLES = 3
"""So many candles may be missing at the end of a range that reaches the present, before it is stale."""


@dataclass(frozen=True)
class CheckedSpan:
    """A range to be checked; ``rows`` is how many candles the job read there, where one did."""

    span: Span
    rows: int | None
    name: str


def checked_spans(spans: Sequence[tuple[Span, int | None]]) -> list[CheckedSpan]:
    """Return ``spans`` named by symbol and interval, and by their start where that is not enough."""
    times = Counter((span.symbol, span.interval) for span, _ in spans)
    named = []
    for span, rows in spans:
        name = f"{span.symbol}-{span.interval}"
        if times[span.symbol, span.interval] > 1:
            name += f"-{span.start:%Y%m%dT%H%M%S}"
        named.append(CheckedSpan(span, rows, name))
    return named


def pandas_asset(database: Database[Document], checked: CheckedSpan, now: datetime) -> Asset:
    """Return the range as an asset that pandas checks; ``now`` is the exchange's clock."""
    span = grid_span(database, checked.span)
    frame = candle_frame(database, span)
    off_grid = int(frame["off_grid"].notna().sum())
    facts = candle_facts(database, replace(checked, span=span), now, len(frame), off_grid)
    return asset_of(checked.name, span, facts, frame, len(frame), types=PANDAS_TYPES)


def asset_of(
    name: str, span: Span, facts: CandleFacts, frame: object, rows: int, *, types: tuple[str, str]
) -> Asset:
    """Return the asset of a range, with its suite."""
    skipped = {}
    if facts.baseline.reason is not None:
        skipped["Comparison with the four weeks before"] = facts.baseline.reason
    if facts.newest_due is None:
        skipped["Freshness"] = f"the range ended at {span.end:%Y-%m-%d %H:%M}, before the present"
    if not facts.on_grid:
        skipped["Completeness"] = "the exchange has no candle in the range, and none is stored"
    if facts.expected_rows is None:
        skipped["Number of candles against what a job read"] = "no job's report was given"
    return Asset(
        name=name,
        title=f"{span.symbol}, candles of {span.interval}",
        frame=frame,
        rows=rows,
        suite=historical_suite(f"{HISTORICAL_DATA}-{name}", span, facts, types=types),
        start=span.start,
        end=span.end,
        skipped=skipped,
    )


def candle_facts(
    database: Database[Document], checked: CheckedSpan, now: datetime, rows: int, off_grid_rows: int
) -> CandleFacts:
    """Return what the database knows of the range beside its candles."""
    span = checked.span
    return CandleFacts(
        now=now.replace(tzinfo=None),
        expected_rows=checked.rows,
        off_grid_rows=off_grid_rows,
        on_grid=rows > 0 or checked.rows != 0,
        absent=absent_ranges(database, span),
        newest_due=_newest_due(span, now),
        quarantined=quarantined(database, span, LISTED),
        corrected=corrected(database, span, LISTED),
        baseline=baseline_of(database, span),
    )


def grid_span(database: Database[Document], span: Span) -> Span:
    """Return ``span`` from its first stored candle on where it asks for all of the record."""
    if span.start > EPOCH:
        return span
    first = next(candles.open_times(database, span), None)
    return span if first is None else replace(span, start=first)


def assets(database: Database[Document], spans: Sequence[CheckedSpan], now: datetime) -> Iterator[Asset]:
    """Yield the ranges as assets, one in memory at a time."""
    return (pandas_asset(database, checked, now) for checked in spans)


def _newest_due(span: Span, now: datetime) -> datetime | None:
    interval = span.interval
    if span.end < now - max(NEAR, timedelta(milliseconds=interval.milliseconds)):
        return None
    newest_ms = min(span.end_ms, interval.floor(to_ms(now))) - LATE_CANDLES * interval.milliseconds
    return from_ms(newest_ms).replace(tzinfo=None) if newest_ms > span.start_ms else None
