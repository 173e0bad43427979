"""Diagnosis: what a model looks at, and what more of the past would bring."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.learning.algorithms import XGBOOST
from cryptobot.learning.diagnosis import diagnose
from cryptobot.learning.importance import MOST_ROWS, permutation_importance, ranked
from cryptobot.learning.learning_curve import predict_with_less
from cryptobot.learning.scores import log_loss
from cryptobot.learning.training import FoldFit, fit_fold
from tests.learning.planted import dataset


@pytest.fixture(scope="module")
def fits() -> list[FoldFit]:
    data = dataset(4_000, 0.5, 0)
    return [fit_fold(data, XGBOOST, fold) for fold in range(len(data.folds))]


def test_only_what_a_model_reads_is_important() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(3_000, 4)).astype(np.float32)

    def predict(asked: np.ndarray) -> np.ndarray:
        logits = np.stack([-2 * asked[:, 1], np.zeros(len(asked)), 2 * asked[:, 1]], axis=1)
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    labels = np.where(rows[:, 1] > 0, 2, 0)
    rises = permutation_importance(predict, rows, labels, seed=1)
    assert rises[1] > 1
    assert rises[[0, 2, 3]].tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    np.testing.assert_array_equal(rises, permutation_importance(predict, rows, labels, seed=1))


def test_a_long_fold_costs_no_more_than_the_rows_that_count() -> None:
    asked = []

    def predict(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return np.full((len(rows), 3), 1 / 3)

    permutation_importance(predict, np.zeros((50_000, 2), np.float32), np.zeros(50_000, np.int64), seed=0)
    assert sum(asked) == MOST_ROWS * (1 + 2 * 2)


def test_features_are_ranked_by_their_mean_over_the_folds() -> None:
    first, second = ranked(("a", "b"), np.array([[0.1, 0.2], [0.1, 0.4]]))
    assert (first.feature, first.mean, first.deviation) == ("b", pytest.approx(0.3), pytest.approx(0.1))
    assert (second.feature, second.deviation) == ("a", 0)


def test_the_planted_signal_s_feature_is_the_most_important(fits: list[FoldFit]) -> None:
    data = dataset(4_000, 0.5, 0)
    found = diagnose(data, {XGBOOST: fits})
    mood = {"taker_buy_share_1", "taker_buy_share_24", "money_flow_14"}
    assert found.importance[0].feature in mood
    assert found.importance[0].mean > 3 * next(
        each.mean for each in found.importance if each.feature not in mood
    )
    assert {each.feature for each in found.importance} == set(data.names)


def test_who_has_seen_more_predicts_better(fits: list[FoldFit]) -> None:
    data = dataset(4_000, 0.5, 0)
    curve = diagnose(data, {XGBOOST: fits}).learning_curve
    last = data.folds[-1]
    assert [point.rows for point in curve] == [
        round(len(last.train) * share) for share in (0.125, 0.25, 0.5, 1)
    ]
    assert curve[-1].log_loss < curve[0].log_loss
    assert curve[-1].log_loss == log_loss(fits[-1].probabilities, data.labels.label[last.test]).mean()
    assert not any(fit.with_less for fit in fits[:-1])


def test_less_of_the_past_is_the_newest_of_it() -> None:
    data = dataset(4_000, 0.5, 0)
    learned: list[np.ndarray] = []

    class Ignorant:
        def __init__(self, positions: np.ndarray) -> None:
            learned.append(positions)

        def predict_proba(self, rows: np.ndarray) -> np.ndarray:
            return np.full((len(rows), 3), 1 / 3)

    fold = data.folds[-1]
    assert list(predict_with_less(data, fold, Ignorant)) == [len(positions) for positions in learned]
    for positions in learned:
        np.testing.assert_array_equal(positions, fold.train[len(fold.train) - len(positions) :])


def test_the_mean_s_curve_is_of_its_mean_predictions(fits: list[FoldFit]) -> None:
    data = dataset(4_000, 0.5, 0)
    alone, with_itself = (diagnose(data, dict.fromkeys(names, fits)) for names in ("a", "ab"))
    assert [point.log_loss for point in with_itself.learning_curve] == pytest.approx(
        [point.log_loss for point in alone.learning_curve]
    )
