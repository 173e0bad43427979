"""What a run reads: its spans bounded by what can exist, and cut into chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptobot.exchange.info import require_trading, weight_limit
from cryptobot.exchange.rest import RestClient
from cryptobot.market.instant import EPOCH, from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span, pieces

CHUNK_CANDLES = 2_000_000
"""Candles of one chunk at most: the unit of verification and of progress."""

Chunk = tuple[Span, ...]
"""Pieces of spans, each within a month, that are read, written and verified together."""


@dataclass(frozen=True)
class Plan:
    """What a run reads, what holds nothing to read, and the exchange's clock and limit."""

    spans: list[Span]
    empty: list[Span]
    now: datetime
    weight_limit: int


def make_plan(spans: Sequence[Span], exchange: RestClient) -> Plan:
    """Check that the symbols trade, and bound the spans by the listing of the pair and by now.

    A span from the epoch asks for all that there is: it also ends where the exchange's record ends.
    """
    info = exchange.exchange_info()
    require_trading({span.symbol for span in spans}, info)
    plan = Plan([], [], exchange.server_time(), weight_limit(info))
    records: dict[tuple[str, Interval], Span | None] = {}
    for span in disjoint(spans):
        of = (span.symbol, span.interval)
        if of not in records:
            open_now = span.interval.floor(to_ms(plan.now))
            records[of] = exchange.record(Span(*of, EPOCH, from_ms(open_now)))
        bounded = bound(span, records[of], plan.now)
        if bounded is None:
            plan.empty.append(span)
        else:
            plan.spans.append(bounded)
    return plan


def bound(span: Span, record: Span | None, now: datetime) -> Span | None:
    """Return the part of ``span`` in which candles can be: from the first of ``record`` to the last closed.

    None where no candle can be.
    """
    if record is None:
        return None
    start = max(span.start, record.start)
    end = min(span.end, from_ms(span.interval.floor(to_ms(now))))
    if span.start == EPOCH:
        end = min(end, record.end)
    return Span(span.symbol, span.interval, start, end) if start < end else None


def disjoint(spans: Sequence[Span]) -> list[Span]:
    """Return ``spans`` in order; overlapping ones, whose candles would count twice, are refused."""
    ordered = sorted(spans, key=lambda span: (span.symbol, span.interval, span.start))
    for one, other in pairwise(ordered):
        if (one.symbol, one.interval) == (other.symbol, other.interval) and other.start < one.end:
            raise ValueError(
                f"{one.symbol} {one.interval}: the spans from {one.start.isoformat()} and from"
                f" {other.start.isoformat()} overlap; ask for each candle once"
            )
    return ordered


def chunks(spans: Iterable[Span], candles: int = CHUNK_CANDLES) -> Iterator[Chunk]:
    """Yield chunks of at most ``candles``, in order; together they are ``spans``.

    They are cut at the turn of a month, which is how the archive's files are cut; at the turn of a day
    where a month holds too many, and anywhere on the grid where a day does.
    """
    chunk: list[Span] = []
    held = 0
    for span in spans:
        for piece in _pieces(span, candles):
            size = _candles(piece)
            if chunk and held + size > candles:
                yield tuple(chunk)
                chunk, held = [], 0
            chunk.append(piece)
            held += size
    if chunk:
        yield tuple(chunk)


def months(span: Span) -> Iterator[Span]:
    """Yield ``span`` cut at the turn of each month."""
    return _cut(span, Interval.MONTH_1)


def _candles(piece: Span) -> int:
    return piece.interval.candles_between(piece.start_ms, piece.end_ms)


def _pieces(span: Span, candles: int) -> Iterator[Span]:
    for month in months(span):
        if _candles(month) <= candles:
            yield month
            continue
        for day in _cut(month, Interval.DAY_1):
            yield from [day] if _candles(day) <= candles else pieces(day, candles)


def _cut(span: Span, unit: Interval) -> Iterator[Span]:
    start_ms = span.start_ms
    while start_ms < span.end_ms:
        end_ms = min(unit.following(unit.floor(start_ms)), span.end_ms)
        yield Span(span.symbol, span.interval, from_ms(start_ms), from_ms(end_ms))
        start_ms = end_ms
