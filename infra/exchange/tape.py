"""Trades across candles: the newest, those from an id on, those of a range of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from infra.exchange.bars import DAY_MS, Ints
from infra.exchange.present import Present
from infra.exchange.trades import Trades, join, take


def newest(present: Present, symbol: str, until_ms: int, limit: int, *, aggregate: bool) -> Trades:
    """Return the trades of the last ``limit`` ids (or aggregates) up to ``until_ms``, inclusive."""
    parts: list[Trades] = []
    wanted = None
    for trades in _backward(present, symbol, until_ms):
        seen = take(trades, slice(0, int(np.searchsorted(trades.time_ms, until_ms, side="right"))))
        if not len(seen):
            continue
        ids = _ids(seen, aggregate)
        wanted = int(ids[-1]) - limit + 1 if wanted is None else wanted
        parts.insert(0, take(seen, slice(int(np.searchsorted(ids, wanted)), None)))
        if ids[0] <= wanted:
            break
    return join(parts)


def from_id(
    present: Present, symbol: str, first: int, until_ms: int, limit: int, *, aggregate: bool
) -> Trades:
    """Return the trades with ids (or aggregates) from ``first`` on that have happened."""
    at = present.market.opened_by(symbol, first, aggregate=aggregate)
    parts = []
    for trades in _forward(present, symbol, at, until_ms):
        ids = _ids(trades, aggregate)
        first_row, last_row = np.searchsorted(ids, (first, max(first, 0) + limit))
        seen = np.searchsorted(trades.time_ms, until_ms, side="right")
        parts.append(take(trades, slice(int(first_row), int(min(last_row, seen)))))
        if ids[-1] >= first + limit - 1:
            break
    return join(parts)


def between(present: Present, symbol: str, start_ms: int, until_ms: int, limit: int) -> Trades:
    """Return the trades of the first ``limit`` aggregates in a range of time, both ends inclusive."""
    parts: list[Trades] = []
    for trades in _forward(present, symbol, start_ms, until_ms):
        first, last = np.searchsorted(trades.time_ms, (start_ms, until_ms + 1))
        part = take(trades, slice(int(first), int(last)))
        if len(part):
            parts.append(part)
        if parts and parts[-1].agg_id[-1] - parts[0].agg_id[0] >= limit:
            break
    joined = join(parts)
    if not len(joined):
        return joined
    return take(joined, slice(0, int(np.searchsorted(joined.agg_id, joined.agg_id[0] + limit))))


def _ids(trades: Trades, aggregate: bool) -> Ints:
    return trades.agg_id if aggregate else trades.trade_id


def _forward(present: Present, symbol: str, from_ms: int, until_ms: int) -> Iterator[Trades]:
    market, end = present.market, present.market.end(symbol)
    stop = until_ms + 1 if end is None else min(until_ms + 1, end)
    opened = present.bar_at(symbol, from_ms)
    at = int(opened.open_ms[0]) if len(opened) else max(from_ms, market.first_open(symbol))
    while at < stop:
        bars = market.finest(symbol, at, min(at + DAY_MS, stop))
        for open_ms in bars.open_ms[bars.trades > 0]:
            yield present.history.trades(symbol, int(open_ms))
        at += DAY_MS


def _backward(present: Present, symbol: str, until_ms: int) -> Iterator[Trades]:
    market = present.market
    at = present.moment(symbol, until_ms) + 1
    while at > market.first_open(symbol):
        bars = market.finest(symbol, at - DAY_MS, at)
        for open_ms in bars.open_ms[bars.trades > 0][::-1]:
            yield present.history.trades(symbol, int(open_ms))
        at -= DAY_MS
