"""Candles of a second, made of trades; a second without a trade repeats the last price."""

from __future__ import annotations

import numpy as np

from infra.exchange.bars import Bars, Ints
from infra.exchange.trades import Trades

_SECOND_MS = 1_000


def seconds(bar: Bars, trades: Trades, now_ms: int) -> Bars:
    """Return the seconds of the one candle ``bar``, as far as they have come at ``now_ms``."""
    opened = int(bar.open_ms[0])
    last = min(int(bar.close_ms[0]), now_ms)
    opens = np.arange(opened, last + 1, _SECOND_MS, dtype=np.int64)
    seen = int(np.searchsorted(trades.time_ms, last, side="right"))
    edges = np.append(np.searchsorted(trades.time_ms[:seen], opens), seen)
    first, ends = edges[:-1], edges[1:]
    price, quantity = trades.price[:seen], trades.quantity[:seen]
    bought = quantity * ~trades.buyer_is_maker[:seen]
    prices = np.append(bar.open[0], price)
    close = prices[ends]
    traded = first < ends
    open_ = np.where(traded, prices[np.minimum(first + 1, seen)], close)
    high, low = open_.copy(), open_.copy()
    if traded.any():
        high[traded] = np.maximum.reduceat(price, first[traded])
        low[traded] = np.minimum.reduceat(price, first[traded])
    aggs = np.append(
        trades.agg_id[:seen] - bar.first_agg[0], trades.agg_id[seen - 1] + 1 - bar.first_agg[0] if seen else 0
    )
    return Bars(
        open_ms=opens,
        close_ms=opens + (_SECOND_MS - 1),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=_sums(quantity, edges),
        quote=_sums(price * quantity, edges),
        trades=ends - first,
        taker_base=_sums(bought, edges),
        taker_quote=_sums(price * bought, edges),
        first_trade=bar.first_trade[0] + first,
        first_agg=bar.first_agg[0] + aggs[first],
        aggs=aggs[ends] - aggs[first],
    )


def _sums(values: Ints, edges: Ints) -> Ints:
    return np.diff(np.append(0, np.cumsum(values))[edges])
