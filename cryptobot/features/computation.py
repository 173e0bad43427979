"""Features of candles: one function for batch, training and live scoring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryptobot.features.bars import Bars
from cryptobot.features.feature_set import FEATURE_SET
from cryptobot.features.grid import follows, open_times_ms
from cryptobot.market.interval import Interval

CANDLE_COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base")
_PRICES = ("open", "high", "low", "close")


class FeatureInputError(ValueError):
    """The candles are not what features can be computed from; the message names the first fault."""


def other_symbol(symbol: str, symbols: Sequence[str]) -> str | None:
    """Return the pair whose returns accompany ``symbol``: the first of ``symbols`` that is another."""
    return next((candidate for candidate in symbols if candidate != symbol), None)


def compute(candles: pd.DataFrame, other: pd.DataFrame | None, interval: Interval) -> pd.DataFrame:
    """Return the feature set of every candle, known when that candle has closed.

    Parameters
    ----------
    candles
        Closed candles of one symbol in time order: ``open_time`` (aware UTC) and
        :data:`CANDLE_COLUMNS`. For the last candle's features alone, pass it with the
        ``FEATURE_SET.warm_up`` candles before it.
    other
        The other pair's candles over the same time (``open_time``, ``close``); ``None`` where
        no other pair is followed: its features are then 0.
    interval
        The candles' interval, which says where the grid has gaps.

    Returns
    -------
    DataFrame of float64 in the order of ``FEATURE_SET.names``, with the index of ``candles``.
    A value whose window reaches before the first candle, or across a gap in the grid (of either
    pair for the features of both), is NaN.

    Raises
    ------
    FeatureInputError
        When candles are out of order, or hold prices that are not positive numbers.
    """
    bars = _bars(candles, other)
    following = follows(bars.open_ms, interval)
    history, paired_history = _run_lengths(following), _run_lengths(following & _paired(bars))
    columns = {}
    with np.errstate(invalid="ignore"):
        for feature in FEATURE_SET.features:
            values = feature.formula(bars)
            reach = paired_history if feature.paired else history
            columns[feature.name] = np.where(reach >= feature.warm_up, values, np.nan)
    return pd.DataFrame(columns, index=candles.index)


def _bars(candles: pd.DataFrame, other: pd.DataFrame | None) -> Bars:
    open_ms = open_times_ms(candles)
    fields = {name: candles[name].to_numpy(np.float64) for name in CANDLE_COLUMNS}
    if (np.diff(open_ms) <= 0).any():
        at = int(np.argmax(np.diff(open_ms) <= 0)) + 1
        raise FeatureInputError(f"candle {_at(candles, at)} does not come after the one before it; sort them")
    for name, values in fields.items():
        bad = ~np.isfinite(values) | ((values <= 0) if name in _PRICES else (values < 0))
        if bad.any():
            at = int(np.argmax(bad))
            raise FeatureInputError(f"candle {_at(candles, at)} has {name} = {values[at]}; repair it first")
    return Bars(open_ms, **fields, other_close=None if other is None else _aligned_close(open_ms, other))


def _aligned_close(open_ms: npt.NDArray[np.int64], other: pd.DataFrame) -> npt.NDArray[np.float64]:
    closes = pd.Series(other["close"].to_numpy(np.float64), index=open_times_ms(other))
    return closes.reindex(open_ms).to_numpy()


def _paired(bars: Bars) -> npt.NDArray[np.bool_]:
    """Tell whether the other pair has both a row's candle and the one before."""
    if bars.other_close is None:
        return np.ones(len(bars.open_ms), dtype=bool)
    present = np.isfinite(bars.other_close)
    return np.asarray(present & np.concatenate([[False], present[:-1]])[: len(present)])


def _run_lengths(follows: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    rows = np.arange(len(follows))
    starts = np.maximum.accumulate(np.where(follows, 0, rows))
    return np.asarray(rows - starts, dtype=np.int64)


def _at(candles: pd.DataFrame, row: int) -> str:
    return str(pd.Timestamp(candles["open_time"].iloc[row]).isoformat())
