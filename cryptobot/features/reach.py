"""How far from a candle its features look back."""

from __future__ import annotations

from cryptobot.features.feature_set import FEATURE_SET
from cryptobot.market.interval import Interval

_MARGIN = 4
"""Candles beyond the warm-up: a month is longer than its nominal length."""


def reach_ms(interval: Interval) -> int:
    """Return a time, in ms, within which all candles lie that a candle's features read before it."""
    return (FEATURE_SET.warm_up + _MARGIN) * interval.milliseconds
