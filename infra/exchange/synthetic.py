"""The synthetic market: seeded, reproducible, endless; any day is made without those before.

Each day's path is a Brownian bridge, in the time of the day's own volatility, between two levels
of a daily walk, so that days join and the whole is a martingale when ``signal_strength`` is 0.
Otherwise a slow latent pressure, which shows in the takers' share of the volume, drifts the
minutes that follow it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, HOUR_MS, MINUTE_MS, Bars, aggregate, concat, grid
from infra.exchange.instruments import Instrument
from infra.exchange.recent import Recent
from infra.exchange.walk import Walk

Floats = NDArray[np.float64]

MINUTES = 1_440
FIRST_DAY = date(2017, 8, 17).toordinal() - date(1970, 1, 1).toordinal()
_LEAST_TRADES = 12
_COMMON = "MARKET"
_LOADING = 0.8
"""Correlation of each symbol's minutes with the whole market's."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a synthetic symbol is like: its precision, level and activity at the reference day."""

    price_decimals: int
    quantity_decimals: int
    price: float
    daily_volume: float
    daily_volatility: float


_PROFILES = {
    "BTCUSDT": Profile(2, 5, 95_000.0, 18_000.0, 0.024),
    "ETHUSDT": Profile(2, 4, 3_300.0, 400_000.0, 0.033),
    "BNBUSDT": Profile(2, 3, 700.0, 250_000.0, 0.03),
    "SOLUSDT": Profile(2, 3, 190.0, 3_500_000.0, 0.042),
    "XRPUSDT": Profile(4, 1, 2.2, 250_000_000.0, 0.042),
    "ADAUSDT": Profile(4, 1, 0.9, 90_000_000.0, 0.043),
    "DOGEUSDT": Profile(5, 0, 0.32, 900_000_000.0, 0.05),
}
_OTHER = Profile(4, 1, 10.0, 5_000_000.0, 0.045)


class SyntheticMarket:
    """Candles of one minute for any symbol from 2017-08-17 on, without end."""

    def __init__(
        self, symbols: Iterable[str], *, seed: int, signal_strength: float, trades_per_second: float
    ) -> None:
        self._seed = seed
        self._strength = signal_strength
        self._recent_days: Recent[tuple[str, int], Bars] = Recent(96)
        self._recent_hours: Recent[tuple[str, int], Bars] = Recent(16_384)
        self._profiles = {symbol: _PROFILES.get(symbol, _OTHER) for symbol in symbols}
        self.instruments = {
            symbol: Instrument(symbol, profile.price_decimals, profile.quantity_decimals)
            for symbol, profile in self._profiles.items()
        }
        self._walks = {
            symbol: Walk(
                generator=lambda day, purpose, symbol=symbol: self._rng(symbol, day, purpose),
                common=lambda day, purpose: self._rng(_COMMON, day, purpose),
                first_day=FIRST_DAY,
                price=profile.price,
                volatility=profile.daily_volatility,
                trades=trades_per_second * 86_400,
                signal_strength=signal_strength,
            )
            for symbol, profile in self._profiles.items()
        }

    def first_open(self, symbol: str) -> int:
        """Return the open time, ms, of the symbol's first candle."""
        return FIRST_DAY * DAY_MS

    def end(self, symbol: str) -> int | None:
        """Return None: the market never ends."""
        return None

    def serves(self, symbol: str, interval: Interval) -> bool:
        """Return True: all intervals are made of minutes and their trades."""
        return True

    def finest(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        """Return the minutes that open in ``[start_ms, end_ms)``."""
        return concat([self._minutes(symbol, day) for day in _days(start_ms, end_ms)]).between(start_ms, end_ms)

    def candles(self, symbol: str, interval: Interval, start_ms: int, end_ms: int, zone_ms: int = 0) -> Bars:
        """Return the candles of ``interval`` that open in ``[start_ms, end_ms)``."""
        start, end = grid(interval, start_ms, end_ms, zone_ms)
        whole_hours = interval.milliseconds >= HOUR_MS and zone_ms % HOUR_MS == 0
        source = self._hours if whole_hours else self._minutes
        bars = concat([source(symbol, day) for day in _days(start, end)]).between(start, end)
        return aggregate(bars, interval, zone_ms).between(start_ms, end_ms)

    def _minutes(self, symbol: str, day: int) -> Bars:
        return self._recent_days.get((symbol, day), lambda: self.day(symbol, day))

    def _hours(self, symbol: str, day: int) -> Bars:
        return self._recent_hours.get((symbol, day), lambda: aggregate(self._minutes(symbol, day), Interval.HOUR_1))

    def rng(self, symbol: str, open_ms: int) -> np.random.Generator:
        """Return the generator from which the trades of the minute at ``open_ms`` are drawn."""
        return self._rng(symbol, open_ms // MINUTE_MS, 7)

    def day(self, symbol: str, day: int) -> Bars:
        """Return the 1,440 minutes of ``day`` (counted from the epoch)."""
        profile, walk = self._profiles[symbol], self._walks[symbol]
        level = walk.level(day)
        rng, common = self._rng(symbol, day, 1), self._rng(_COMMON, day, 1)
        season = walk.season
        clock = season * np.exp(0.5 * common.standard_normal(MINUTES) + 0.3 * rng.standard_normal(MINUTES))
        clock /= clock.sum()
        scale = np.sqrt(clock)
        shocks = _LOADING * common.standard_normal(MINUTES) + np.sqrt(1 - _LOADING**2) * rng.standard_normal(
            MINUTES
        )
        free, passed = np.cumsum(scale * shocks), np.cumsum(clock)
        bridge = free - passed * free[-1]
        pressure = walk.pressure(day)
        path = (
            level.log_price
            + level.volatility * (bridge + passed * level.shock)
            - passed * level.volatility**2 / 2
            + walk.drift(day, pressure)
        )
        closes = np.exp(path)
        opens = np.exp(np.concatenate(([level.log_price], path[:-1])))
        moves = np.diff(path, prepend=level.log_price) / (level.volatility * scale)
        return self._bars(
            symbol, profile, day, opens, closes, level.volatility * scale, moves, pressure, clock, rng
        )

    def _bars(
        self, symbol: str, profile: Profile, day: int, opens: Floats, closes: Floats, spread: Floats,
        moves: Floats, pressure: Floats, clock: Floats, rng: np.random.Generator,
    ) -> Bars:  # fmt: skip
        ticks = 10.0**profile.price_decimals
        walk = self._walks[symbol]
        activity = walk.season * (0.4 + 0.6 * clock * MINUTES) * (0.6 + 0.5 * np.abs(moves))
        activity *= np.exp(0.35 * rng.standard_normal(MINUTES))
        first_trade, trades = _ids(walk.first_trade(day), walk.first_trade(day + 1), activity)
        open_ = _at_least_one(opens * ticks + rng.integers(-1, 2, MINUTES))
        close = _at_least_one(closes * ticks)
        gap = np.log(closes / opens)
        up = (gap + np.sqrt(gap**2 - 2 * spread**2 * np.log(rng.random(MINUTES) + 1e-12))) / 2
        down = (gap - np.sqrt(gap**2 - 2 * spread**2 * np.log(rng.random(MINUTES) + 1e-12))) / 2
        high = np.maximum(_at_least_one(opens * np.exp(up) * ticks), np.maximum(open_, close))
        low = np.minimum(_at_least_one(opens * np.exp(down) * ticks), np.minimum(open_, close))
        level = walk.level(day)
        lots = profile.daily_volume * level.activity / MINUTES * 10.0**profile.quantity_decimals
        volume = np.maximum(
            (activity * lots * np.exp(0.2 * rng.standard_normal(MINUTES))).astype(np.int64), 8 * trades
        )
        share = 0.5 + 0.06 * pressure + 0.06 * np.tanh(moves) + 0.04 * rng.standard_normal(MINUTES)
        taker_base = np.clip(share, 0.1, 0.9) * volume
        taker_base = taker_base.astype(np.int64)
        mean = (open_ + high + low + close) / 4
        room = 0.1 * (high - low)
        taker_quote = _quote(np.clip(mean + 0.05 * room, low + room, high - room), taker_base, low, high)
        sold = volume - taker_base
        quote = taker_quote + _quote(np.clip(mean - 0.05 * room, low + room, high - room), sold, low, high)
        open_ms = day * DAY_MS + np.arange(MINUTES, dtype=np.int64) * MINUTE_MS
        first_agg = first_trade - first_trade // 3
        end = first_trade + trades
        return Bars(
            open_ms=open_ms, close_ms=open_ms + MINUTE_MS - 1,
            open=open_, high=high, low=low, close=close,
            volume=volume, quote=quote, trades=trades,
            taker_base=taker_base, taker_quote=taker_quote,
            first_trade=first_trade, first_agg=first_agg, aggs=(end - end // 3) - first_agg,
        )  # fmt: skip

    def _rng(self, symbol: str, number: int, purpose: int) -> np.random.Generator:
        key = np.array([self._seed, zlib.crc32(symbol.encode()) << 32 | number], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, purpose]))


def _days(start_ms: int, end_ms: int) -> range:
    return range(max(start_ms // DAY_MS, FIRST_DAY), (end_ms - 1) // DAY_MS + 1)


def _at_least_one(ticks: Floats) -> NDArray[np.int64]:
    return np.maximum(np.round(ticks).astype(np.int64), 1)


def _ids(first: int, following: int, activity: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first ids and counts of trades that fill ``[first, following)`` without a hole."""
    spare = following - first - _LEAST_TRADES * MINUTES
    ends = np.round(np.cumsum(activity / activity.sum()) * spare).astype(np.int64)
    ends[-1] = spare
    ends += _LEAST_TRADES * np.arange(1, MINUTES + 1)
    starts = np.concatenate(([0], ends[:-1]))
    return first + starts, ends - starts


def _quote(
    mean: Floats, volume: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    return np.clip((mean * volume).astype(np.int64), low * volume, high * volume)
