"""Triple-barrier labels and their uniqueness."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryptobot.learning.labels import Barriers, Labels, triple_barrier, uniqueness
from cryptobot.learning.signal import BUY, HOLD, SELL
from cryptobot.market import Interval
from tests.features.market import walk

QUARTER = Interval.MINUTE_15
SMALL = Barriers(horizon=4, width=1.0, volatility_span=8)


def flat_then(highs: list[float], lows: list[float]) -> pd.DataFrame:
    """Return ten candles that alternate by 1 %, then candles with these highs and lows."""
    candles = walk(10 + len(highs))
    price = np.where(np.arange(len(candles)) % 2 == 0, 100.0, 101.0)
    price[9:] = 101.0
    for name in ("open", "high", "low", "close"):
        candles[name] = price
    candles.loc[10:, "high"] = highs
    candles.loc[10:, "low"] = lows
    return candles


@pytest.mark.parametrize(
    ("highs", "lows", "label", "steps"),
    [
        ([101, 104, 101, 101], [101, 101, 101, 101], BUY, 2),
        ([101, 101, 101, 101], [98, 101, 101, 101], SELL, 1),
        ([101, 101, 104, 101], [98, 101, 101, 101], SELL, 1),
        ([101, 101, 104, 101], [101, 101, 98, 101], HOLD, 3),
        ([102, 102, 102, 102], [100, 100, 100, 100], HOLD, 4),
    ],
    ids=["upper", "lower", "lower first", "both at once", "neither"],
)
def test_the_first_barrier_touched_is_the_label(
    highs: list[float], lows: list[float], label: int, steps: int
) -> None:
    candles = flat_then(highs, lows)
    labels = triple_barrier(candles, QUARTER, SMALL)
    last = labels.row.tolist().index(9)
    assert labels.label[last] == label
    assert labels.end[last] == 9 + steps


def test_the_barriers_scale_with_volatility() -> None:
    calm, wild = walk(600, seed=3), walk(600, seed=3)
    for name in ("open", "high", "low", "close"):
        wild[name] = 30_000 * (wild[name] / 30_000) ** 5
    first, second = triple_barrier(calm, QUARTER), triple_barrier(wild, QUARTER)
    np.testing.assert_array_equal(first.label, second.label)
    np.testing.assert_array_equal(first.end, second.end)


def test_a_label_needs_its_whole_horizon_and_its_volatility() -> None:
    barriers = Barriers()
    labels = triple_barrier(walk(300), QUARTER, barriers)
    assert labels.row.tolist() == list(range(barriers.volatility_span, 300 - barriers.horizon))
    assert not len(triple_barrier(walk(100), QUARTER, barriers))


def test_no_label_reaches_across_a_gap() -> None:
    barriers = Barriers()
    candles = walk(400).drop(index=200).reset_index(drop=True)
    labels = triple_barrier(candles, QUARTER, barriers)
    around = range(200 - barriers.horizon, 200 + barriers.volatility_span)
    assert set(labels.row) == set(range(barriers.volatility_span, 399 - barriers.horizon)) - set(around)


def test_no_label_depends_on_candles_after_its_end() -> None:
    candles = walk(500, seed=5)
    labels = triple_barrier(candles, QUARTER)
    for position in range(0, len(labels), 37):
        end, horizon_end = labels.end[position], labels.row[position] + Barriers().horizon
        changed = candles.copy()
        changed.loc[end + 1 :, ["open", "high", "low", "close"]] *= 1.5
        again = triple_barrier(changed, QUARTER)
        assert again.label[position] == labels.label[position] or end == horizon_end
        assert again.end[position] == end or end == horizon_end


def test_the_classes_are_about_equally_frequent() -> None:
    shares = np.bincount(triple_barrier(walk(8_000, seed=6), QUARTER).label, minlength=3) / 8_000
    assert shares.min() > 0.2
    assert shares.max() < 0.5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_uniqueness_is_the_mean_share_of_each_candle(lengths: list[int]) -> None:
    row = np.arange(len(lengths))
    labels = Labels(row, np.zeros(len(row), dtype=np.int64), row + np.array(lengths))
    spans = [set(range(r + 1, e + 1)) for r, e in zip(labels.row, labels.end, strict=True)]
    expected = [np.mean([1 / sum(at in other for other in spans) for at in span]) for span in spans]
    np.testing.assert_allclose(uniqueness(labels), expected)
