"""The backtest: who is in the market when, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.learning.backtest import (
    Costs,
    Track,
    baselines,
    follow,
    net_returns,
    performance,
    profile_position,
    sized,
    track,
)
from cryptobot.learning.risk import PROFILES
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
    assert found.sortino == pytest.approx(net.mean() / np.sqrt((net[net < 0] ** 2).sum() / 4) * 10)
    assert found.turnover == pytest.approx(4 / 4 * 100)  # in, out, in, out at the end
    assert found.document().keys() == {
        "return", "sharpe", "sortino", "max_drawdown", "turnover", "exposure", "trades", "hit_rate"
    }  # fmt: skip


def test_staying_out_earns_and_costs_nothing() -> None:
    found = performance(np.zeros(3), market(0.1, -0.1, 0.2), Costs())
    assert (found.net_return, found.sharpe, found.max_drawdown, found.trades) == (0, 0, 0, 0)
    assert found.hit_rate is None


def test_a_position_keeps_the_size_of_its_entry() -> None:
    long = np.array([0.0, 1, 1, 0, 1, 1])
    sizes = np.array([0.9, 0.2, 0.8, 0.9, 0.5, 0.1])
    begins = np.array([True, False, False, False, False, True])
    assert sized(long, sizes, begins).tolist() == [0, 0.2, 0.2, 0, 0.5, 0.1]


def test_costs_are_of_what_is_traded_not_of_what_is_held() -> None:
    paid = net_returns(np.array([0.0, 0.5, 0.5, 0.0]), market(0, 0, 0, 0), Costs(fee=0.01, slippage=0))
    assert paid.tolist() == [0, -0.005, 0, -0.005]


def test_who_shuns_risk_holds_less() -> None:
    edge, variance = np.array([0.01, 0.02, -0.01]), np.full(3, 0.02)
    sizes = {name: profile.size(edge, variance).tolist() for name, profile in PROFILES.items()}
    assert sizes["conservative"] == pytest.approx([0.0625, 0.125, 0])
    assert sizes["aggressive"] == pytest.approx([0.25, 0.5, 0])
    assert [profile.size(np.ones(1), np.ones(1) / 100)[0] for profile in PROFILES.values()] == [0.25, 0.5, 1]


def test_a_profile_s_position_grows_with_the_model_s_confidence() -> None:
    data = dataset()
    positions = np.arange(40)
    signals = np.full(40, BUY)
    sure, unsure = (np.tile([(1 - buy) / 2, (1 - buy) / 2, buy], (40, 1)) for buy in (0.6, 0.34))
    held = {p: profile_position(data, positions, p_, signals, PROFILES["balanced"]) for p, p_ in
            (("sure", sure), ("unsure", unsure))}  # fmt: skip
    assert (held["sure"] == 0.5).all()  # the profile's most: the edge is worth more
    deviation = np.sqrt(16) * data.column("realised_96")[0]
    assert held["unsure"] == pytest.approx(0.01 / (4 * deviation), rel=1e-5)
    assert 0 < held["unsure"][0] < 0.5


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
