"""The daily walk of a synthetic symbol: level, volatility and activity of each day."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINUTES = 1_440
_DAYS = 40_000
_REFERENCE_DAY = date(2025, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
LOADING = 0.9
"""How much of each symbol's shocks, by the day and by the minute, is the whole market's."""
_WALK, _PRESSURE = 0, 2
_MEMORY = 960
"""How many minutes of the past the pressure still feels."""
_HALF_LIFE = 120.0
_DRIFT = 0.02
"""Drift of a minute, in its standard deviations, for a pressure of one at strength one."""
_REGIMES = np.array([0.65, 1.0, 1.9])
_STAY = np.array([[0.95, 0.05, 0.0], [0.03, 0.94, 0.03], [0.0, 0.10, 0.90]])


@dataclass(frozen=True, slots=True)
class Level:
    """Where a day begins, and how it will be."""

    log_price: float
    volatility: float
    shock: float
    activity: float


@dataclass(frozen=True, slots=True)
class Common:
    """What all symbols share: each day's mood, the regime of its volatility, and its shock."""

    mood: Floats
    regime: Floats
    shock: Floats

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> Common:
        """Draw all days."""
        mood = _slow(generator.standard_normal(_DAYS))
        regime = _REGIMES[_regimes(generator.random(_DAYS))]
        return cls(mood, regime, generator.standard_normal(_DAYS))


class Walk:
    """The days of one symbol, made from their generators as far as someone asks."""

    def __init__(
        self,
        *,
        generator: Callable[[int, int], np.random.Generator],
        common: Common,
        first_day: int,
        price: float,
        volatility: float,
        trades: float,
        signal_strength: float,
    ) -> None:
        self._generator = generator
        self._first = first_day
        self._strength = signal_strength
        self.season = _season()
        own = generator(0, _WALK)
        mood = 0.75 * common.mood + 0.5 * _slow(own.standard_normal(_DAYS))
        self._volatility = volatility * np.exp(0.3 * mood) * common.regime
        self._shocks = LOADING * common.shock + np.sqrt(1 - LOADING**2) * own.standard_normal(_DAYS)
        self._activity = np.exp(0.5 * mood + 0.15 * own.standard_normal(_DAYS))
        counts = np.maximum(trades * self._activity / self._activity.mean(), 13 * MINUTES).astype(np.int64)
        self._trades = np.concatenate(([1], 1 + np.cumsum(counts)))
        kernel = np.exp(-np.log(2) / _HALF_LIFE * np.arange(_MEMORY))
        self._kernel = kernel / np.sqrt((kernel**2).sum())
        self._drift_weight = _DRIFT * signal_strength * self.season / np.sqrt(MINUTES)
        self._pull = self._noise_weights()
        self._levels = [0.0]
        self._growing = threading.Lock()
        self._grow(_REFERENCE_DAY + 1)
        self._offset = float(np.log(price)) - self._levels[_REFERENCE_DAY - first_day]

    def level(self, day: int) -> Level:
        """Return how ``day`` (counted from the epoch) begins and will be."""
        place = day - self._first
        with self._growing:
            if place >= len(self._levels):
                self._grow(day + 30)
        return Level(
            log_price=self._offset + self._levels[place],
            volatility=float(self._volatility[place]),
            shock=float(self._shocks[place]),
            activity=float(self._activity[place]),
        )

    def first_trade(self, day: int) -> int:
        """Return the id of the first trade of ``day``; ids rise by one from the first day on."""
        return int(self._trades[day - self._first])

    def day_of(self, number: int, *, aggregate: bool) -> int:
        """Return the day of trade (or aggregate) ``number``."""
        firsts = aggregate_id(self._trades) if aggregate else self._trades
        place = int(np.searchsorted(firsts, number, side="right")) - 1
        return self._first + min(max(place, 0), _DAYS - 1)

    def pressure(self, day: int) -> Floats:
        """Return the latent pressure at each minute of ``day``: slow, of variance one."""
        noise = np.concatenate((self._noise(day - 1)[-_MEMORY:], self._noise(day)))
        decay = self._kernel[1] / self._kernel[0]
        powers = decay ** np.arange(len(noise))
        sums = np.cumsum(noise / powers)
        return (
            self._kernel[0] * (powers * sums)[_MEMORY:] - self._kernel[0] * powers[_MEMORY:] * sums[:-_MEMORY]
        )

    def drift(self, day: int, pressure: Floats) -> Floats:
        """Return the log-price that the pressure before each minute of ``day`` has added by its end."""
        before = np.concatenate(([self._last_pressure(day - 1)], pressure[:-1]))
        return np.cumsum(self._drift_weight * before) * float(self._volatility[day - self._first])

    def _noise(self, day: int) -> Floats:
        return self._generator(day, _PRESSURE).standard_normal(MINUTES)

    def _last_pressure(self, day: int) -> float:
        return float(self._noise(day)[: -_MEMORY - 1 : -1] @ self._kernel)

    def _noise_weights(self) -> tuple[Floats, Floats]:
        """Return the weights of yesterday's and today's noise in a day's whole drift."""
        later = np.append(self._drift_weight[1:], 0.0)
        weights = np.correlate(np.concatenate((np.zeros(MINUTES), later)), self._kernel, "full")[
            _MEMORY - 1 :
        ]
        yesterday, today = weights[:MINUTES].copy(), weights[MINUTES:]
        yesterday[: -_MEMORY - 1 : -1] += self._drift_weight[0] * self._kernel
        return yesterday, today

    def _grow(self, until: int) -> None:
        """Add the levels of the days before ``until``."""
        place = len(self._levels) - 1
        last = self._noise(self._first + place - 1)
        while self._first + place < until:
            noise = self._noise(self._first + place) if self._strength else last
            volatility = self._volatility[place]
            pull = self._pull[0] @ last + self._pull[1] @ noise if self._strength else 0.0
            step = volatility * (self._shocks[place] + pull) - volatility**2 / 2
            self._levels.append(self._levels[-1] + float(step))
            last, place = noise, place + 1


def aggregate_id(trade_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the id of the aggregate that a trade begins, where two aggregates hold three trades."""
    return trade_id - trade_id // 3


def _season() -> Floats:
    """Return how busy each minute of a UTC day is, one on average: most at 14:30, least at 4:00."""
    hours = np.arange(MINUTES) / 60
    busy = 1 + 0.35 * np.cos(2 * np.pi * (hours - 15) / 24) + 0.35 * np.exp(-(((hours - 14.5) / 1.5) ** 2))
    return busy / busy.mean()


def _slow(noise: Floats) -> Floats:
    """Return an autoregressive series of variance one with a memory of about twenty days."""
    kept, values, value = 0.95, np.empty_like(noise), 0.0
    for place, shock in enumerate(noise):
        value = kept * value + (1 - kept**2) ** 0.5 * shock
        values[place] = value
    return values


def _regimes(draws: Floats) -> NDArray[np.int64]:
    """Return the state of each day in a chain of calm, usual and turbulent days."""
    bounds = np.cumsum(_STAY, axis=1).tolist()
    states, state = np.empty(len(draws), np.int64), 1
    for place, draw in enumerate(draws.tolist()):
        state = sum(draw >= bound for bound in bounds[state][:2])
        states[place] = state
    return states
