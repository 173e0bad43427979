"""The backtest: who is in the market when, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.learning.backtest import Costs, Track, baselines, follow, performance, track
from cryptobot.learning.signal import BUY, HOLD, SELL
from tests.learning.planted import dataset

FREE = Costs(0, 0)
NO_BREAKS = np.array([True] + [False] * 9)


def market(*returns: float, begins: list[int] | None = None) -> Track:
    marks = np.zeros(len(returns), dtype=bool)
    marks[[0, *(begins or [])]] = True
    return Track(np.array(returns), marks, periods_per_year=100)


def test_a_buy_goes_long_until_a_sell_or_its_horizon() -> None:
    signals = np.array([HOLD, BUY, HOLD, SELL, HOLD, BUY, HOLD, HOLD, HOLD, HOLD])
    assert follow(signals, NO_BREAKS, horizon=3).tolist() == [0, 1, 1, 0, 0, 1, 1, 1, 0, 0]


def test_a_buy_again_prolongs_the_position() -> None:
    signals = np.array([BUY, HOLD, BUY, HOLD, HOLD, HOLD])
    assert follow(signals, NO_BREAKS[:6], horizon=2).tolist() == [1, 1, 1, 1, 0, 0]


def test_no_position_is_carried_over_a_hole() -> None:
    begins = np.array([True, False, True, False])
    assert follow(np.array([HOLD, BUY, HOLD, HOLD]), begins, horizon=9).tolist() == [0, 1, 0, 0]


def test_each_change_of_position_costs() -> None:
    costs = Costs(fee=0.001, slippage=0.001)
    held = performance(np.array([1.0, 1, 0, 0]), market(0, 0, 0, 0), costs)
    assert held.net_return == pytest.approx((1 - 0.002) ** 2 - 1)
    assert held.trades == 1
    closed_at_holes = performance(np.array([1.0, 1, 1, 1]), market(0, 0, 0, 0, begins=[2]), costs)
    assert closed_at_holes.trades == 2
    assert closed_at_holes.net_return == pytest.approx((1 - 0.002) ** 4 - 1)


def test_figures_of_a_known_path() -> None:
    found = performance(np.array([1.0, 1, 0, 1]), market(0.10, -0.20, 0.5, 0.05), FREE)
    assert found.net_return == pytest.approx(1.1 * 0.8 * 1.05 - 1)
    assert found.max_drawdown == pytest.approx(-0.2)
    assert found.exposure == 0.75
    assert found.hit_rate == 0.5
    net = np.array([0.1, -0.2, 0, 0.05])
    assert found.sharpe == pytest.approx(net.mean() / net.std() * 10)


def test_staying_out_earns_and_costs_nothing() -> None:
    found = performance(np.zeros(3), market(0.1, -0.1, 0.2), Costs())
    assert (found.net_return, found.sharpe, found.max_drawdown, found.trades) == (0, 0, 0, 0)
    assert found.hit_rate is None


def test_a_signal_earns_from_the_next_open_not_from_its_own_close() -> None:
    data = dataset()
    positions = np.arange(5)
    row = data.labels.row[0]
    assert track(data, positions).returns[0] == data.open[row + 2] / data.open[row + 1] - 1


def test_baselines_are_of_the_same_candles() -> None:
    data = dataset()
    positions = np.arange(100, 900)
    found = baselines(data, positions, Costs())
    row = data.labels.row[positions]
    whole = data.open[row[-1] + 2] / data.open[row[0] + 1]
    rate = Costs().rate
    assert found["always_hold"].net_return == 0
    assert found["buy_and_hold"].net_return == pytest.approx(whole * (1 - rate) ** 2 - 1, abs=1e-4)
    assert found["momentum"].trades > 10
