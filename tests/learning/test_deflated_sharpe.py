"""The deflated Sharpe ratio: the paper's example, and luck that looks like skill."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.learning.deflated_sharpe import deflated_sharpe, expected_best, probabilistic_sharpe


@pytest.mark.parametrize("trials", [2, 9, 50])
def test_the_best_of_many_without_an_edge_is_as_good_as_expected(trials: int) -> None:
    random = np.random.default_rng(0)
    best = random.normal(size=(20_000, trials)).max(axis=1).mean()
    assert expected_best(trials) == pytest.approx(best, abs=0.06)


def test_the_paper_s_example() -> None:
    luck = expected_best(100) * np.sqrt(0.5 / 250)
    assert luck == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(2.5 / np.sqrt(250), luck, 1_250, skew=-3.0, kurtosis=10.0)
    assert found == pytest.approx(0.9004, abs=5e-4)


def test_one_trial_has_no_luck_to_be_taken_off() -> None:
    assert expected_best(1) == 0
    returns = np.tile([0.02, -0.01], 50)
    sharpe = returns.mean() / returns.std()
    assert deflated_sharpe(returns, 1) == probabilistic_sharpe(sharpe, 0, 100, 0, 1)


def test_the_best_of_strategies_without_an_edge_seldom_looks_sure() -> None:
    random = np.random.default_rng(1)
    sure = []
    for _ in range(300):
        tried = random.standard_t(5, size=(9, 500))
        best = tried[(tried.mean(axis=1) / tried.std(axis=1)).argmax()]
        sure.append(deflated_sharpe(best, 9))
        assert sure[-1] < deflated_sharpe(best, 1)
    assert np.mean(np.array(sure) >= 0.95) < 0.05


def test_losses_that_are_rare_and_great_make_it_less_sure() -> None:
    random = np.random.default_rng(2)
    gains = np.abs(random.standard_t(4, size=1_000))
    drawn = gains - gains.mean() + 0.08 * gains.std()
    mirrored = -(gains - gains.mean()) + 0.08 * gains.std()
    assert deflated_sharpe(mirrored, 9) < deflated_sharpe(drawn, 9)


def test_what_never_moves_proves_nothing() -> None:
    assert deflated_sharpe(np.zeros(100), 5) == deflated_sharpe(np.array([0.1]), 1) == 0
    assert deflated_sharpe(np.empty(0), 1) == 0
