"""Aggregate trades by REST: the first page by time, the following ones by id until the end.

Ids of aggregates rise by one without holes within a symbol, so that once the first page is known
several of the following ones can be asked for at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa

from cryptobot.exchange.ahead import READ_AHEAD, in_order
from cryptobot.exchange.errors import ExchangeError, MalformedAnswerError, TradesUnavailableError
from cryptobot.exchange.rest import PAGE, RestClient
from cryptobot.market.instant import to_ms

LONGEST_SPAN = timedelta(hours=1)
"""The exchange answers no wider range of time than this."""

_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("agg_id", pa.int64()),
        ("price", pa.float64()),
        ("quantity", pa.float64()),
        ("first_trade_id", pa.int64()),
        ("last_trade_id", pa.int64()),
        ("time", _TIME),
        ("buyer_is_maker", pa.bool_()),
    ]
)
"""One row an aggregate: trades of one taker order at one price, at the same moment."""

_FIELDS: dict[str, Callable[[Any], Any]] = {
    "a": int, "p": float, "q": float, "f": int, "l": int, "T": int, "m": bool,
}  # fmt: skip

AggTrade = dict[str, Any]
ENDPOINT = "/api/v3/aggTrades"


def agg_trades(
    exchange: RestClient, symbol: str, start: datetime, end: datetime, ahead: int = READ_AHEAD
) -> Iterator[list[AggTrade]]:
    """Yield the aggregate trades in ``[start, end)``, page by page, in order of id, as on the wire.

    Raises
    ------
    TradesUnavailableError
        When a page cannot be had; it names the symbol and the range.
    ValueError
        When the range is wider than :data:`LONGEST_SPAN`.
    """
    if end - start > LONGEST_SPAN:
        raise ValueError(f"{symbol}: aggregate trades are read by the hour, not {end - start} at once")
    start_ms, end_ms = to_ms(start), to_ms(end)

    def page(asked: dict[str, int]) -> list[AggTrade]:
        first_id = asked.get("fromId", 0)
        params: dict[str, str | int] = {"symbol": symbol, "limit": PAGE, **asked}
        try:
            rows: list[AggTrade] = exchange.get(ENDPOINT, params, lambda rows: check_page(rows, first_id))
        except ExchangeError as error:
            raise TradesUnavailableError(symbol, start.isoformat(), end.isoformat(), error) from error
        return rows

    first = page({"startTime": start_ms, "endTime": end_ms - 1})
    if first:
        yield first
    if len(first) < PAGE:
        return
    following = ({"fromId": first_id} for first_id in count(first[-1]["a"] + 1, PAGE))
    ended = False
    for rows in in_order(page, following, ahead):
        if rows and ended:
            cut_short = MalformedAnswerError(f"the page before aggregate trade {rows[0]['a']} was cut short")
            raise TradesUnavailableError(symbol, start.isoformat(), end.isoformat(), cut_short)
        found = [row for row in rows if row["T"] < end_ms]
        if found:
            yield found
        if len(found) < len(rows) or not rows:
            return
        ended = len(rows) < PAGE  # only the newest page is short: nothing may follow it


def to_batch(symbol: str, rows: list[AggTrade]) -> pa.RecordBatch:
    """Return rows of the wire as columns of :data:`SCHEMA`."""
    columns = {name: [read(row[name]) for row in rows] for name, read in _FIELDS.items()}
    times = pa.array([at * 1_000 for at in columns["T"]], pa.int64()).cast(_TIME)
    arrays = [
        pa.repeat(symbol, len(rows)),
        *(pa.array(columns[name]) for name in ("a", "p", "q", "f", "l")),
        times,
        pa.array(columns["m"]),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def check_page(rows: Any, first_id: int = 0) -> None:
    """Refuse what is not a list of aggregate trades, complete from ``first_id`` on."""
    if not isinstance(rows, list):
        raise MalformedAnswerError(f"not a list of trades: {rows!r:.200}")
    expected = first_id
    for row in rows:
        try:
            for name, read in _FIELDS.items():
                read(row[name])
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedAnswerError(f"not an aggregate trade: {row!r:.200}") from error
        if expected and row["a"] != expected:
            raise MalformedAnswerError(f"aggregate trade {row['a']} came where {expected} was due")
        expected = row["a"] + 1
