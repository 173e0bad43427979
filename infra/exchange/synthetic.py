"""The synthetic market: seeded, reproducible, endless; any day is made without those before.

Days join on a daily walk and the whole is a martingale when ``signal_strength`` is 0. Otherwise
a slow latent pressure, which shows in the takers' share of the volume, drifts the minutes that
follow it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial

import numpy as np

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, HOUR_MS, MINUTE_MS, Bars, aggregate, concat, grid
from infra.exchange.instruments import Instrument
from infra.exchange.recent import Recent
from infra.exchange.synthetic_day import Profile, make_day
from infra.exchange.walk import Common, Walk

FIRST_DAY = date(2017, 8, 17).toordinal() - date(1970, 1, 1).toordinal()
_COMMON = "MARKET"
_WALK, _DAY, _TRADES = 0, 1, 7
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
    """Candles of a minute and more for any symbols, from 2017-08-17 on, without end."""

    def __init__(
        self, symbols: Iterable[str], *, seed: int, signal_strength: float, trades_per_second: float
    ) -> None:
        self._seed = seed
        self._profiles = {symbol: _PROFILES.get(symbol, _OTHER) for symbol in symbols}
        common = Common.drawn(self._rng(_COMMON, 0, _WALK))
        self._walks = {
            symbol: Walk(
                generator=partial(self._rng, symbol),
                common=common,
                first_day=FIRST_DAY,
                price=profile.price,
                volatility=profile.daily_volatility,
                trades=trades_per_second * 86_400,
                signal_strength=signal_strength,
            )
            for symbol, profile in self._profiles.items()
        }
        self._instruments = {
            symbol: Instrument(symbol, profile.price_decimals, profile.quantity_decimals)
            for symbol, profile in self._profiles.items()
        }
        self._days: Recent[tuple[str, int], Bars] = Recent(max(96, 3 * len(self._profiles)))
        self._hours: Recent[tuple[str, int], Bars] = Recent(16_384)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What is traded, by symbol."""
        return self._instruments

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
        days = [self._minutes_of(symbol, day) for day in _days(start_ms, end_ms)]
        return concat(days).between(start_ms, end_ms)

    def candles(self, symbol: str, interval: Interval, start_ms: int, end_ms: int, zone_ms: int = 0) -> Bars:
        """Return the candles of ``interval`` that open in ``[start_ms, end_ms)``."""
        start, end = grid(interval, start_ms, end_ms, zone_ms)
        whole_hours = interval.milliseconds >= HOUR_MS and zone_ms % HOUR_MS == 0
        source = self._hours_of if whole_hours else self._minutes_of
        bars = concat([source(symbol, day) for day in _days(start, end)]).between(start, end)
        return aggregate(bars, interval, zone_ms).between(start_ms, end_ms)

    def opened_by(self, symbol: str, number: int, *, aggregate: bool) -> int:
        """Return the open time, ms, of the minute that holds trade (or aggregate) ``number``."""
        minutes = self._minutes_of(symbol, self._walks[symbol].day_of(number, aggregate=aggregate))
        firsts = minutes.first_agg if aggregate else minutes.first_trade
        return int(minutes.open_ms[max(0, int(np.searchsorted(firsts, number, side="right")) - 1)])

    def rng(self, symbol: str, open_ms: int) -> np.random.Generator:
        """Return the generator from which the trades of the minute at ``open_ms`` are drawn."""
        return self._rng(symbol, open_ms // MINUTE_MS, _TRADES)

    def _minutes_of(self, symbol: str, day: int) -> Bars:
        def make() -> Bars:
            own, common = self._rng(symbol, day, _DAY), self._rng(_COMMON, day, _DAY)
            return make_day(self._profiles[symbol], self._walks[symbol], day, own, common)

        return self._days.get((symbol, day), make)

    def _hours_of(self, symbol: str, day: int) -> Bars:
        return self._hours.get(
            (symbol, day), lambda: aggregate(self._minutes_of(symbol, day), Interval.HOUR_1)
        )

    def _rng(self, symbol: str, number: int, purpose: int) -> np.random.Generator:
        """Return the generator of one day or minute, and of one purpose, of a symbol."""
        key = np.array([self._seed, zlib.crc32(symbol.encode()) << 32 | number], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, purpose]))


def _days(start_ms: int, end_ms: int) -> range:
    return range(max(start_ms // DAY_MS, FIRST_DAY), (end_ms - 1) // DAY_MS + 1)
