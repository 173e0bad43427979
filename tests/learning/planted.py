"""Data sets for tests: a market with a signal planted in it, or with none."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.dataset import Dataset, make_dataset
from cryptobot.market import Interval
from tests.features.market import walk

QUARTER = Interval.MINUTE_15


def planted(count: int, strength: float, seed: int = 0) -> pd.DataFrame:
    """Return candles whose drift follows, by ``strength`` volatilities, the takers' hours-long mood.

    The mood shows in the takers' share of the volume: that is the signal.
    """
    candles = walk(count, seed=seed)
    random = np.random.default_rng(seed + 1_000)
    mood = np.zeros(count)
    for i in range(1, count):
        mood[i] = 0.97 * mood[i - 1] + random.normal(0, np.sqrt(1 - 0.97**2))
    volatility = np.log(candles["close"]).diff().std()
    drift = np.exp(np.cumsum(strength * volatility * np.concatenate([[0.0], mood[:-1]])))
    before = np.concatenate([[1.0], drift[:-1]])
    candles["open"] *= before
    candles["close"] *= drift
    candles["high"] = np.maximum(candles["high"] * before, candles[["open", "close"]].max(axis=1))
    candles["low"] = np.minimum(candles["low"] * before, candles[["open", "close"]].min(axis=1))
    share = 0.5 + 0.3 * np.tanh(mood) + random.uniform(-0.1, 0.1, count)
    for taker, total in (("taker_buy_base", "volume"), ("taker_buy_quote", "quote_volume")):
        candles[taker] = candles[total] * share
    return candles


@lru_cache
def dataset(count: int = 1_500, strength: float = 0.0, seed: int = 0) -> Dataset:
    """Return the data set of such a market, without another pair."""
    candles = planted(count, strength, seed)
    features = compute(candles, None, QUARTER)
    features.insert(0, "open_time", candles["open_time"])
    return make_dataset("BTCUSDT", QUARTER, candles, features, FEATURE_SET.names)
