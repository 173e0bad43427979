"""Trades in order, and the aggregates that they belong to, as columns of integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.exchange.bars import Ints

_SMALL = 12
"""Below so many trades each is an aggregate of its own."""


@dataclass(frozen=True, slots=True)
class Trades:
    """The trades of one candle in order; ``agg`` numbers the aggregate each belongs to."""

    time_ms: Ints
    price: Ints
    quantity: Ints
    buyer_is_maker: NDArray[np.bool_]
    trade_id: Ints
    agg_id: Ints

    def __len__(self) -> int:
        return len(self.time_ms)


_NO_INTS = np.empty(0, np.int64)
NO_TRADES = Trades(_NO_INTS, _NO_INTS, _NO_INTS, np.empty(0, bool), _NO_INTS, _NO_INTS)


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Trades of one order at one price and time, taken together."""

    time_ms: Ints
    price: Ints
    quantity: Ints
    buyer_is_maker: NDArray[np.bool_]
    agg_id: Ints
    first_trade: Ints
    last_trade: Ints

    def __len__(self) -> int:
        return len(self.time_ms)


def aggregates(trades: Trades) -> Aggregates:
    """Return the aggregates of ``trades``, of which there is at least one."""
    starts = np.flatnonzero(np.diff(trades.agg_id, prepend=trades.agg_id[0] - 1))
    return Aggregates(
        time_ms=trades.time_ms[starts],
        price=trades.price[starts],
        quantity=np.add.reduceat(trades.quantity, starts),
        buyer_is_maker=trades.buyer_is_maker[starts],
        agg_id=trades.agg_id[starts],
        first_trade=trades.trade_id[starts],
        last_trade=trades.trade_id[np.append(starts[1:], len(trades)) - 1],
    )


def agg_counts(trades: Ints) -> Ints:
    """Return how many aggregates candles of ``trades`` trades hold: two thirds, all when few."""
    return np.where(trades < _SMALL, trades, trades - trades // 3)


def take(trades: Trades, rows: slice | Ints) -> Trades:
    """Return some of ``trades``."""
    return Trades(*(getattr(trades, name)[rows] for name in Trades.__slots__))


def join(parts: list[Trades]) -> Trades:
    """Return trades one after another."""
    if not parts:
        return NO_TRADES
    return Trades(*(np.concatenate([getattr(part, name) for part in parts]) for name in Trades.__slots__))
