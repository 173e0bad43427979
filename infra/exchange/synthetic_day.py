"""One day of a synthetic symbol: 1,440 minutes from its walk's level, shock and pressure.

The path is a Brownian bridge in the time of the day's own volatility, from the day's level to
the next one's, plus the drift of the pressure; a minute's high and low are drawn from the exact
law of a bridge's extremes, so fat tails and clustering come from the volatility alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.exchange.bars import DAY_MS, MINUTE_MS, Bars, Ints
from infra.exchange.walk import LOADING, MINUTES, Floats, Level, Walk, aggregate_id

_LEAST_TRADES = 12
_LOTS_A_TRADE = 8


@dataclass(frozen=True, slots=True)
class Profile:
    """What a synthetic symbol is like: its precision, level and activity at the reference day."""

    price_decimals: int
    quantity_decimals: int
    price: float
    daily_volume: float
    daily_volatility: float


@dataclass(frozen=True, slots=True)
class _Path:
    """Prices of a day: at each minute's ends, how far it moved, and by what it could."""

    opens: Floats
    closes: Floats
    moves: Floats
    spread: Floats
    clock: Floats


def make_day(
    profile: Profile, walk: Walk, day: int, rng: np.random.Generator, common: np.random.Generator
) -> Bars:
    """Return the minutes of ``day``; ``common`` is drawn alike for all symbols."""
    level, pressure = walk.level(day), walk.pressure(day)
    path = _path(walk, level, day, pressure, rng, common)
    activity = walk.season * (0.4 + 0.6 * path.clock * MINUTES) * (0.6 + 0.5 * np.abs(path.moves))
    activity *= np.exp(0.35 * rng.standard_normal(MINUTES))
    first_trade, trades = _ids(walk.first_trade(day), walk.first_trade(day + 1), activity)
    first_agg = aggregate_id(first_trade)
    open_, high, low, close = _prices(path, 10.0**profile.price_decimals, rng)
    lots = profile.daily_volume * level.activity / MINUTES * 10.0**profile.quantity_decimals
    wanted = activity * lots * np.exp(0.2 * rng.standard_normal(MINUTES))
    volume = np.maximum(wanted.astype(np.int64), _LOTS_A_TRADE * trades)
    share = 0.5 + 0.06 * pressure + 0.06 * np.tanh(path.moves) + 0.04 * rng.standard_normal(MINUTES)
    bought = (np.clip(share, 0.1, 0.9) * volume).astype(np.int64)
    mean, room = (open_ + high + low + close) / 4, 0.1 * (high - low)
    bought_quote = _quote(mean + 0.05 * room, bought, low, high)
    sold_quote = _quote(mean - 0.05 * room, volume - bought, low, high)
    open_ms = day * DAY_MS + np.arange(MINUTES, dtype=np.int64) * MINUTE_MS
    return Bars(
        open_ms=open_ms,
        close_ms=open_ms + (MINUTE_MS - 1),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        quote=bought_quote + sold_quote,
        trades=trades,
        taker_base=bought,
        taker_quote=bought_quote,
        first_trade=first_trade,
        first_agg=first_agg,
        aggs=aggregate_id(first_trade + trades) - first_agg,
    )


def _path(
    walk: Walk,
    level: Level,
    day: int,
    pressure: Floats,
    rng: np.random.Generator,
    common: np.random.Generator,
) -> _Path:
    clock = walk.season * np.exp(0.5 * common.standard_normal(MINUTES) + 0.3 * rng.standard_normal(MINUTES))
    clock /= clock.sum()
    scale = np.sqrt(clock)
    own = np.sqrt(1 - LOADING**2) * rng.standard_normal(MINUTES)
    free, passed = np.cumsum(scale * (LOADING * common.standard_normal(MINUTES) + own)), np.cumsum(clock)
    bridge = free - passed * free[-1]
    log_price = (
        level.log_price
        + level.volatility * (bridge + passed * level.shock)
        - passed * level.volatility**2 / 2
        + walk.drift(day, pressure)
    )
    steps = np.concatenate(([level.log_price], log_price))
    spread = level.volatility * scale
    return _Path(np.exp(steps[:-1]), np.exp(steps[1:]), np.diff(steps) / spread, spread, clock)


def _prices(path: _Path, ticks: float, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """Return open, high, low and close in ticks."""
    open_ = _in_ticks(path.opens * ticks + rng.integers(-1, 2, MINUTES))
    close = _in_ticks(path.closes * ticks)
    gap = np.log(path.closes / path.opens)
    reach = [np.sqrt(gap**2 - 2 * path.spread**2 * np.log1p(-rng.random(MINUTES))) for _ in range(2)]
    high = _in_ticks(path.opens * np.exp((gap + reach[0]) / 2) * ticks)
    low = _in_ticks(path.opens * np.exp((gap - reach[1]) / 2) * ticks)
    return open_, np.maximum.reduce([high, open_, close]), np.minimum.reduce([low, open_, close]), close


def _in_ticks(ticks: Floats) -> Ints:
    whole: Ints = np.round(ticks).astype(np.int64)
    return np.maximum(whole, 1)


def _ids(first: int, following: int, activity: Floats) -> tuple[Ints, Ints]:
    """Return first ids and counts of trades that fill ``[first, following)`` without a hole."""
    spare = following - first - _LEAST_TRADES * MINUTES
    ends: Ints = np.round(np.cumsum(activity / activity.sum()) * spare).astype(np.int64)
    ends[-1] = spare
    ends += _LEAST_TRADES * np.arange(1, MINUTES + 1)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    return first + starts, ends - starts


def _quote(mean: Floats, volume: Ints, low: Ints, high: Ints) -> Ints:
    """Return the quote volume of ``volume`` at about ``mean``, well within low and high."""
    room = 0.1 * (high - low)
    quote: Ints = (np.clip(mean, low + room, high - room) * volume).astype(np.int64)
    return np.clip(quote, low * volume, high * volume)
