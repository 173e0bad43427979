"""Candles as Arrow columns: UTC microseconds, doubles, and what could not be read beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cryptobot.market.interval import Interval
from cryptobot.market.kline import ARCHIVE_MICROSECONDS_FROM

Ints = npt.NDArray[np.int64]

_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("interval", pa.string()),
        ("open_time", _TIME),
        ("close_time", _TIME),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("quote_volume", pa.float64()),
        ("trades", pa.int64()),
        ("taker_buy_base", pa.float64()),
        ("taker_buy_quote", pa.float64()),
        ("source", pa.string()),
        ("repeat", pa.int32()),
        ("raw", pa.string()),
    ]
)
"""One row a candle as the exchange or its archive gave it.

``repeat`` is 0 for the first row of an open time and n for its n-th repetition. A field that could
not be read is null, and ``raw`` then holds the row's text; it is null otherwise.
"""

_WIRE = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades",
    "taker_buy_base", "taker_buy_quote",
)  # fmt: skip
_OF_WIRE = {"open_time": "time", "close_time": "time", "trades": "integer"}
WIRE = {name: _OF_WIRE.get(name, "double") for name in _WIRE}
"""The wire's fields in order, and what each is: ``time``, ``integer`` or ``double``."""

_LATEST_MS = 253_402_300_800_000  # the year 10000: no instant of Python or Spark
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d{1,18}")


def from_rows(
    symbol: str,
    interval: Interval,
    rows: Sequence[Sequence[Any]],
    source: str,
    text: Callable[[Sequence[Any]], str],
) -> pa.RecordBatch:
    """Return rows of the wire, sorted by open time, as columns of :data:`SCHEMA`.

    Numbers may be JSON's own or text. ``text`` gives the text of a row in which a field is missing
    or cannot be read. Open times must be integers, in ms or us.
    """
    values = list(zip_longest(*rows)) + [(None,) * len(rows)] * len(WIRE)
    columns = {name: _READ[kind](values[i]) for i, (name, kind) in enumerate(WIRE.items())}
    unreadable = np.zeros(len(rows), bool)
    for column in columns.values():
        if column.null_count:
            unreadable |= column.is_null().to_numpy(zero_copy_only=False)
    raw = [text(rows[i]) if unreadable[i] else None for i in range(len(rows))] if unreadable.any() else None
    return assemble(symbol, interval, columns, source, raw)


def assemble(
    symbol: str,
    interval: Interval,
    columns: dict[str, pa.Array],
    source: str,
    raw: Sequence[str | None] | None = None,
) -> pa.RecordBatch:
    """Return :data:`SCHEMA` of the wire's columns; times in ms, rows sorted by open time."""
    opens = columns["open_time"].to_numpy()
    count = len(opens)
    made = {
        **columns,
        "open_time": _instants(columns["open_time"]),
        "close_time": _instants(columns["close_time"]),
        "symbol": pa.repeat(symbol, count),
        "interval": pa.repeat(interval.value, count),
        "source": pa.repeat(source, count),
        "repeat": pa.array(repeats(opens), pa.int32()),
        "raw": pa.nulls(count, pa.string()) if raw is None else pa.array(raw, pa.string()),
    }
    return pa.RecordBatch.from_arrays([made[name] for name in SCHEMA.names], schema=SCHEMA)


def repeats(opens: Ints) -> Ints:
    """Return for each of the sorted ``opens`` how many equal ones stand before it."""
    places = np.arange(len(opens))
    first = np.ones(len(opens), bool)
    first[1:] = opens[1:] != opens[:-1]
    return places - np.maximum.accumulate(np.where(first, places, 0))


def readable_times(times: pa.Array) -> pa.Array:
    """Return ``times`` (int64, ms or us each) in ms; null where no instant is meant."""
    micro = pc.greater_equal(times, ARCHIVE_MICROSECONDS_FROM)
    if pc.any(micro).as_py():
        times = pc.if_else(micro, pc.divide(times, 1_000), times)
    possible = pc.and_(pc.greater_equal(times, 0), pc.less(times, _LATEST_MS))
    return times if pc.all(possible).as_py() else pc.if_else(possible, times, None)


def _instants(times_ms: pa.Array) -> pa.Array:
    return pc.multiply(times_ms, 1_000).cast(_TIME)


def _doubles(values: Sequence[Any]) -> pa.Array:
    try:
        found = pc.cast(pa.array(values, pa.string()), pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        found = None
    if found is None or not pc.all(pc.is_finite(found)).as_py() or found.null_count:
        return pa.array(map(_double, values), pa.float64())
    return found


def _double(value: Any) -> float | None:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    number = float(value)
    return number if np.isfinite(number) else None


def _integers(values: Sequence[Any]) -> pa.Array:
    if set(map(type, values)) == {int}:
        try:
            return pa.array(values, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            pass
    return pa.array(map(_integer, values), pa.int64())


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _times(values: Sequence[Any]) -> pa.Array:
    return readable_times(_integers(values))


_READ: dict[str, Callable[[Sequence[Any]], pa.Array]] = {
    "time": _times,
    "integer": _integers,
    "double": _doubles,
}
