"""Kline rows that are not as they should be: what a share of them suffers, alike by REST and archive."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import orjson

from cryptobot.market.kline import milliseconds
from infra.exchange import klines
from infra.exchange.asked import Asked
from infra.exchange.faults import Faults
from infra.exchange.parameters import Parameters

Row = list[str | int]

_OPEN, _HIGH, _TRADES = 1, 2, 8


def wanted(faults: Faults) -> tuple[float, ...] | None:
    """Return what tells one way of spoiling from another, or None while rows are as they should be."""
    shares = (
        faults.missing_candles,
        faults.corrected_candles,
        faults.repeated_rows,
        faults.unordered_rows,
        faults.broken_rows,
    )
    return (faults.seed, *shares) if any(shares) else None


def page(asked: Asked, faults: Faults) -> list[Row]:
    """Return a page of klines without the missing candles, as full as the exchange fills it, spoiled."""
    query, interval = asked.query, asked.query.interval()
    limit, rows, more = query.limit(500, 1000), [], True
    while more:
        found: list[Row] = orjson.loads(klines.page(asked))
        rows += [row for row in found if not faults.missing(_opened_ms(row), interval)]
        more = "startTime" in query and len(found) == limit and len(rows) < limit
        if more:
            asked = replace(asked, query=_from(query, int(found[-1][0]) + 1))
    return spoil(rows[:limit], asked.symbol, interval, faults)


def lines(csv: bytes, symbol: str, interval: str, faults: Faults) -> bytes:
    """Return an archive file's lines without the missing candles, spoiled."""
    rows: list[Row] = [list(line.split(",")) for line in csv.decode().splitlines()]
    rows = [row for row in rows if not faults.missing(_opened_ms(row), interval)]
    return "".join(f"{','.join(map(str, row))}\n" for row in spoil(rows, symbol, interval, faults)).encode()


def spoil(rows: list[Row], symbol: str, interval: str, faults: Faults) -> list[Row]:
    """Return ``rows`` as the faults make them; the same candle has the same fate each time."""
    spoiled: list[Row] = []
    late: list[Row] = []
    for row in rows:
        candle = f"{symbol}|{interval}|{_opened_ms(row)}"
        given = _given(row, candle, faults)
        if not late and faults.fate(faults.unordered_rows, "unordered", candle):
            late = given
        else:
            spoiled += given + late
            late = []
    return spoiled + late


def _given(row: Row, candle: str, faults: Faults) -> list[Row]:
    """Return what is answered for one candle: its row, corrected or broken, once or twice."""
    if faults.fate(faults.corrected_candles, "corrected", candle):
        trades = int(row[_TRADES]) + 1
        row = [*row[:_TRADES], str(trades) if isinstance(row[_TRADES], str) else trades, *row[_TRADES + 1 :]]
    if faults.fate(faults.broken_rows, "broken", candle):
        row = _broken(row, candle, faults)
    return [row, list(row)] if faults.fate(faults.repeated_rows, "repeated", candle) else [row]


def _broken(row: Row, candle: str, faults: Faults) -> Row:
    """Return the row cut short, with a price that is no number, or with a high below the low."""
    if faults.fate(1 / 3, "cut short", candle):
        return row[: _HIGH + 3]
    if faults.fate(1 / 2, "no number", candle):
        return [*row[:_OPEN], "n/a", *row[_OPEN + 1 :]]
    return [*row[:_HIGH], "0.00000001", *row[_HIGH + 1 :]]


def _opened_ms(row: Row) -> int:
    return milliseconds(int(row[0]))


def _from(query: Parameters, start: int) -> Parameters:
    """Return the same parameters with another ``startTime``."""
    names = ("symbol", "interval", "endTime", "timeZone", "limit")
    asked = {name: query.get(name) for name in names if name in query}
    return Parameters(urlencode({**asked, "startTime": start}))
