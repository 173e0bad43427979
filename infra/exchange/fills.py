"""Trades that add up exactly to their candle: count, volumes, taker parts and all four prices.

The candle comes first; its trades are found only when someone looks. All sums are kept in
integers: in each of the two groups (buyer or seller took) quantities are drawn to the group's
volume, prices are bent toward the group's mean, and what flooring left over is settled by
raising a part of the quantity by one tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from infra.exchange.bars import Bars, Ints
from infra.exchange.trades import NO_TRADES, Trades

_FEW = 64
"""Up to so many orders every division between buyers and sellers is tried."""


@dataclass(slots=True)
class _Group:
    """What one side's fills must add up to, and the prices that it has to touch."""

    count: int
    volume: int
    quote: int
    touched: list[tuple[float, int]]

    def settle(self, rng: np.random.Generator, path: tuple[list[float], list[int]]) -> _Fills | None:
        """Return fills that meet the sums exactly, or None where these touches cannot."""
        low, high = min(path[1]), max(path[1])
        touched = self.touched
        left, spare = self.count - len(touched), self.volume - self.count
        if left < 0 or spare < 0:
            return None
        if not left:
            return self._touches_only()
        most = max(1, self.volume // (8 * self.count))
        for dust in {most, 1}:
            taken = rng.integers(1, dust + 1, len(touched))
            volume = self.volume - int(taken.sum())
            quote = self.quote - sum(int(q) * p for q, (_, p) in zip(taken, touched, strict=True))
            if volume >= left and low * volume <= quote <= high * volume:
                rest = _bend(rng, left, volume, quote, path)
                if rest is not None:
                    at = np.array([when for when, _ in touched])
                    price = np.array([price for _, price in touched], np.int64)
                    return rest.joined(_Fills(at, price, taken))
        return None

    def _touches_only(self) -> _Fills | None:
        prices = [price for _, price in self.touched]
        if not prices:
            return _NO_FILLS if self.volume == self.quote == 0 else None
        if len(prices) == 1:
            quantities = [self.volume]
        elif len(prices) == 2 and prices[0] != prices[1]:
            first = (self.quote - prices[1] * self.volume) // (prices[0] - prices[1])
            quantities = [first, self.volume - first]
        else:
            return None
        if min(quantities) < 1 or sum(q * p for q, p in zip(quantities, prices, strict=True)) != self.quote:
            return None
        at = np.array([when for when, _ in self.touched])
        return _Fills(at, np.array(prices, np.int64), np.array(quantities, np.int64))


@dataclass(frozen=True, slots=True)
class _Fills:
    at: NDArray[np.float64]
    price: Ints
    quantity: Ints

    def joined(self, other: _Fills) -> _Fills:
        return _Fills(
            np.concatenate((self.at, other.at)),
            np.concatenate((self.price, other.price)),
            np.concatenate((self.quantity, other.quantity)),
        )


_NO_FILLS = _Fills(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))


def trades_of(bars: Bars, row: int, rng: np.random.Generator) -> Trades:
    """Return the trades of candle ``row``; the same generator state gives the same trades."""
    bar = {name: int(column[row]) for name, column in zip(Bars.__slots__, bars.columns(), strict=True)}
    count, orders = bar["trades"], bar["aggs"]
    if not count:
        return NO_TRADES
    fills, sells = _orders(bar, orders, rng)
    agg = np.arange(orders)
    while len(fills.at) < count:
        fills, sells, agg = _split(fills, sells, agg, count - len(fills.at), rng)
    span = bar["close_ms"] - bar["open_ms"] + 1
    at = np.minimum((fills.at * span).astype(np.int64), span - 1)
    return Trades(
        time_ms=bar["open_ms"] + at,
        price=fills.price,
        quantity=fills.quantity,
        buyer_is_maker=sells,
        trade_id=bar["first_trade"] + np.arange(count),
        agg_id=bar["first_agg"] + agg,
    )


def _orders(bar: dict[str, int], count: int, rng: np.random.Generator) -> tuple[_Fills, NDArray[np.bool_]]:
    """Return ``count`` fills in order of time, and which of them a seller took."""
    path = _path(bar, rng)
    touches = list({0.0: path[1][0], 1.0: path[1][-1]}.items()) if count > 1 else [(0.0, path[1][0])]
    ends = {price for _, price in touches}
    touches += [
        (at, price) for at, price in zip(path[0], path[1], strict=True) if 0 < at < 1 and price not in ends
    ]
    touches = list(dict.fromkeys(touches))
    for sides in sorted(product((False, True), repeat=len(touches)), key=lambda _: rng.random()):
        for bought in _bought_counts(bar, count):
            groups = []
            for selling in (False, True):
                groups.append(
                    _Group(
                        count=count - bought if selling else bought,
                        volume=bar["volume"] - bar["taker_base"] if selling else bar["taker_base"],
                        quote=bar["quote"] - bar["taker_quote"] if selling else bar["taker_quote"],
                        touched=[
                            touch for touch, side in zip(touches, sides, strict=True) if side is selling
                        ],
                    )
                )
            settled = [group.settle(rng, path) for group in groups]
            if settled[0] is not None and settled[1] is not None:
                fills = settled[0].joined(settled[1])
                sells = np.arange(count) >= bought
                order = np.argsort(fills.at, kind="stable")
                return _Fills(fills.at[order], fills.price[order], fills.quantity[order]), sells[order]
    return _nearest(bar, count, rng, path)


def _bought_counts(bar: dict[str, int], count: int) -> list[int]:
    """Return how many of ``count`` orders buyers may have taken, the likeliest first."""
    bought, sold = bar["taker_base"], bar["volume"] - bar["taker_base"]
    least, most = min(count, bought, 4), count - min(count, sold, 4)
    if not bought or not sold:
        return [count if bought else 0]
    usual = min(max(round(count * bought / bar["volume"]), min(least, most)), max(least, most))
    if count <= _FEW:
        return sorted(range(1, count), key=lambda number: abs(number - usual))
    return [usual, count // 2]


def _path(bar: dict[str, int], rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """Return when (0 to 1) the price is at open, high and low in either order, and close."""
    first, second = np.sort(rng.uniform(0.05, 0.95, 2))
    turns = [bar["high"], bar["low"]] if rng.random() < 0.5 else [bar["low"], bar["high"]]
    return [0.0, float(first), float(second), 1.0], [bar["open"], *turns, bar["close"]]


def _bend(
    rng: np.random.Generator, count: int, volume: int, quote: int, path: tuple[list[float], list[int]]
) -> _Fills | None:
    """Return ``count`` fills of ``volume`` and ``quote`` in all, priced along ``path``."""
    low, high = min(path[1]), max(path[1])
    if count == 1:
        only, rest = divmod(quote, volume)
        return None if rest else _Fills(rng.uniform(0, 1, 1), np.array([only]), np.array([volume]))
    at = rng.uniform(0, 1, count - 1)
    quantity = _quantities(rng, count - 1, volume)
    noise = rng.normal(0, 0.08 * (high - low), count - 1)
    wanted = np.clip(np.interp(at, path[0], path[1]) + noise, low, high)
    mean, target = float(wanted @ quantity) / volume, quote / volume
    if target > mean:
        wanted = high - (high - wanted) * ((high - target) / (high - mean))
    elif target < mean:
        wanted = low + (wanted - low) * ((target - low) / (mean - low))
    price = np.clip(np.floor(wanted).astype(np.int64), low, high)
    return _settle_ticks(_Fills(at, price, quantity), quote - int(price @ quantity), high)


def _settle_ticks(fills: _Fills, missing: int, high: int) -> _Fills | None:
    """Raise fills by a tick until ``missing`` quote is met; one fill more is split off."""
    price, quantity = fills.price.copy(), fills.quantity.copy()
    raisable = np.flatnonzero(price < high)
    reach = np.cumsum(quantity[raisable])
    if missing < 0 or (missing and (not len(reach) or missing > reach[-1])):
        return None
    whole = int(np.searchsorted(reach, missing, side="right"))
    price[raisable[:whole]] += 1
    rest = missing - (int(reach[whole - 1]) if whole else 0)
    if rest:
        parent = int(raisable[whole])
        part, new_price = rest, int(price[parent]) + 1
    else:
        parent = int(np.argmax(quantity))
        part, new_price = int(quantity[parent]) // 2, int(price[parent])
    if not 0 < part < quantity[parent]:
        return None
    quantity[parent] -= part
    extra = _Fills(fills.at[parent : parent + 1], np.array([new_price]), np.array([part]))
    return _Fills(fills.at, price, quantity).joined(extra)


def _quantities(rng: np.random.Generator, count: int, volume: int) -> Ints:
    weights = rng.exponential(1, count) ** 2 + 1e-3
    quantity = 1 + np.floor(weights / weights.sum() * (volume - count)).astype(np.int64)
    left = volume - int(quantity.sum())
    quantity[int(np.argmax(quantity))] += left
    return quantity


def _split(
    fills: _Fills, sells: NDArray[np.bool_], agg: Ints, wanted: int, rng: np.random.Generator
) -> tuple[_Fills, NDArray[np.bool_], Ints]:
    """Divide up to ``wanted`` fills in two at their own time and price: one order, more trades."""
    large = np.flatnonzero(fills.quantity > 1)
    chosen = rng.permutation(large)[:wanted]
    if not len(chosen):
        raise ValueError("a candle cannot have more trades than its volume has lots")
    times = np.ones(len(agg), np.int64)
    times[chosen] = 2
    second = np.cumsum(times)[chosen] - 1
    quantity = np.repeat(fills.quantity, times)
    part = 1 + np.floor(rng.random(len(chosen)) * (quantity[second] - 1)).astype(np.int64)
    quantity[second - 1] -= part
    quantity[second] = part
    divided = _Fills(np.repeat(fills.at, times), np.repeat(fills.price, times), quantity)
    return divided, np.repeat(sells, times), np.repeat(agg, times)


def _nearest(
    bar: dict[str, int], count: int, rng: np.random.Generator, path: tuple[list[float], list[int]]
) -> tuple[_Fills, NDArray[np.bool_]]:
    """Return fills of the candle's count, volume and prices, where its quote volume fits no prices."""
    at = np.sort(rng.uniform(0, 1, count))
    quantity = _quantities(rng, count, max(bar["volume"], count))
    price = np.interp(at, path[0], path[1]).round().astype(np.int64)
    places = [0, *np.searchsorted(at, path[0][1:3]).clip(0, count - 1), count - 1]
    for place, touched in sorted(
        zip(places, path[1], strict=True), key=lambda item: item[0] in (0, count - 1)
    ):
        price[place] = touched
    sells = np.cumsum(quantity) > bar["taker_base"]
    return _Fills(at, price, quantity), sells
