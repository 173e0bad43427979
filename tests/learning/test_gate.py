"""The gate: a planted signal passes, a market without one never does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryptobot.learning.algorithms import XGBOOST
from cryptobot.learning.backtest import Costs
from cryptobot.learning.evaluation import Evaluation, best_candidate, evaluate
from cryptobot.learning.gate import judge
from cryptobot.learning.scores import direction_auc, precision, scores
from cryptobot.learning.training import fit_fold
from tests.learning.planted import dataset


def judged(strength: float, seed: int, count: int = 4_000) -> Evaluation:
    data = dataset(count, strength, seed)
    folds = [fit_fold(data, XGBOOST, fold).probabilities for fold in range(5)]
    return best_candidate(data, {XGBOOST: folds})[0]


@pytest.fixture(scope="module")
def skilled() -> Evaluation:
    return judged(strength=0.5, seed=0)


def test_a_planted_signal_is_found(skilled: Evaluation) -> None:
    verdict = judge(skilled)
    assert verdict.fit, verdict.reasons
    assert all(reason.startswith("passed") for reason in verdict.reasons)


def test_without_a_signal_no_edge_is_claimed() -> None:
    verdict = judge(judged(strength=0.0, seed=0))
    assert not verdict.fit
    assert any(reason.startswith("failed: tells buys from sells") for reason in verdict.reasons)


def test_each_condition_alone_refuses(skilled: Evaluation) -> None:
    worse = [
        replace(skilled, metrics={**skilled.metrics, "log_loss": skilled.metrics["log_loss_baseline"]}),
        replace(skilled, metrics={**skilled.metrics, "auc_direction": 0.5}),
        replace(skilled, metrics={**skilled.metrics, "auc_direction": None}),
        replace(skilled, metrics={**skilled.metrics, "calibration_error": 0.2}),
        replace(skilled, metrics={**skilled.metrics, "deflated_sharpe": 0.94}),
        replace(skilled, fold_gains=(0.1, 0.1, -0.1, -0.1)),
        replace(skilled, strategy=replace(skilled.strategy, trades=3)),
        replace(skilled, strategy=replace(skilled.strategy, net_return=-0.01)),
        replace(skilled, strategy=replace(skilled.strategy, sharpe=-1.0)),
    ]
    for evaluation in worse:
        verdict = judge(evaluation)
        assert not verdict.fit
        assert sum(reason.startswith("failed") for reason in verdict.reasons) == 1


def test_a_fold_is_judged_only_with_what_was_known_before_it() -> None:
    data = dataset(strength=0.5)
    random = np.random.default_rng(0)
    predictions = [random.dirichlet([2, 2, 2], len(fold.test)) for fold in data.folds]
    found = evaluate(data, "any", predictions, Costs())
    later = [*predictions[:-1], predictions[-1][::-1]]
    again = evaluate(data, "any", later, Costs())
    assert again.fold_gains[:-1] == found.fold_gains[:-1]
    assert again.fold_gains[-1] != found.fold_gains[-1]
    assert found.metrics["rows"] == sum(len(fold.test) for fold in data.folds[1:])


def test_the_best_candidate_may_be_the_mean() -> None:
    data = dataset(strength=0.5)
    random = np.random.default_rng(1)
    truth = [np.eye(3)[data.labels.label[fold.test]] for fold in data.folds]
    noisy = {
        name: [0.4 * t + 0.6 * random.dirichlet([1, 1, 1], len(t)) for t in truth] for name in ("one", "two")
    }
    best, log_losses = best_candidate(data, noisy)
    assert best.algorithm == "mean"
    assert set(log_losses) == {"one", "two", "mean"}
    assert best.metrics["log_loss"] == min(log_losses.values())


def test_perfect_probabilities_have_perfect_scores() -> None:
    labels = np.array([0, 1, 2, 2, 1, 0])
    perfect = np.eye(3)[labels]
    found = scores(perfect, labels, labels)
    assert found["brier"] == 0
    assert found["auc"] == found["auc_direction"] == found["mcc"] == 1
    assert found["precision"] == {"sell": 1.0, "hold": 1.0, "buy": 1.0}


def test_figures_that_are_not_defined_are_none() -> None:
    labels = np.array([1, 1, 2])
    assert direction_auc(np.full((3, 3), 1 / 3), labels) is None
    assert precision(np.array([1, 1, 1]), labels) == {"sell": None, "hold": pytest.approx(2 / 3), "buy": None}
