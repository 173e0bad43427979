"""Two sources of the same candles held side by side: what one lacks, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from cryptobot.market import Kline, Span, kline_id
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.database import Document

Kind = Literal["missing live", "missing in history", "not at the exchange", "differs", "history differs"]
Candles = Mapping[datetime, Document]
"""Candles of one symbol and interval by open time."""

COMPARED = tuple(each.name for each in fields(Kline) if each.name not in {"symbol", "interval", "open_time"})
"""What must be equal, to the last bit: both sources write the same decimals."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One candle on which two sources do not agree; ``values`` by field: live, and by REST."""

    symbol: str
    interval: str
    open_time: datetime
    kind: Kind
    repaired: bool = False
    values: dict[str, list[Any]] = field(default_factory=dict)

    def document(self) -> Document:
        """Return the difference as it is listed in ``reconciliations``."""
        return {
            "key": kline_id(self.symbol, self.interval, to_ms(self.open_time)),
            "symbol": self.symbol,
            "interval": self.interval,
            "open_time": self.open_time,
            "kind": self.kind,
            "repaired": self.repaired,
            "values": self.values,
        }


def differing(one: Document, other: Document) -> dict[str, list[Any]]:
    """Return the fields in which two documents of a candle differ, each with both values."""
    return {name: [one.get(name), other.get(name)] for name in COMPARED if one.get(name) != other.get(name)}


def compare(span: Span, live: Candles, history: Candles, exchange: Candles) -> Iterator[Difference]:
    """Yield where live and stored candles of ``span`` differ from what the exchange has, in order of time.

    A live candle that was put there from REST (``repaired_from``) was missing, and stays listed
    as such, so that comparing again tells the same.
    """

    def found(open_time: datetime, kind: Kind, **more: Any) -> Difference:
        return Difference(span.symbol, span.interval.value, open_time, kind, **more)

    for open_time in sorted({*live, *history, *exchange}):
        arrived, stored, true = live.get(open_time), history.get(open_time), exchange.get(open_time)
        if true is None:
            yield found(open_time, "not at the exchange")
            continue
        if arrived is None or "repaired_from" in arrived:
            yield found(open_time, "missing live", repaired=arrived is not None)
        if stored is None:
            yield found(open_time, "missing in history")
        elif values := differing(stored, true):
            yield found(open_time, "history differs", values=values)
        if arrived is not None and (values := differing(arrived, true)):
            yield found(open_time, "differs", values=values)


def runs(span: Span, open_times: Iterable[datetime]) -> Iterator[Span]:
    """Yield the stretches of the grid that ``open_times``, in order, cover without a hole."""
    start_ms = end_ms = None
    for open_time in open_times:
        slot_ms = span.interval.floor(to_ms(open_time))
        if start_ms is not None and end_ms is not None and slot_ms > end_ms:
            yield Span(span.symbol, span.interval, from_ms(start_ms), from_ms(end_ms))
            start_ms = None
        start_ms = slot_ms if start_ms is None else start_ms
        end_ms = span.interval.following(slot_ms)
    if start_ms is not None and end_ms is not None:
        yield Span(span.symbol, span.interval, from_ms(start_ms), from_ms(end_ms))
