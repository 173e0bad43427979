"""Boosted trees: their parameters' search with early stopping, and the fit with those chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost
from xgboost import XGBClassifier

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.search import Parameters, Search, halve
from cryptobot.learning.window import Positions, sample_weights, validation

SETS: tuple[Parameters, ...] = (
    {"max_depth": 4, "min_child_weight": 20},
    {"max_depth": 3, "min_child_weight": 40},
    {"max_depth": 2, "min_child_weight": 20},
    {"max_depth": 6, "min_child_weight": 80},
)
"""What is tried, from the usual to what a window may ask for: shallower trees, and deeper ones."""

_MOST_ROUNDS = 150
_PATIENCE = 12
_RUNGS = (10, 20)
_BINS = 64


class _Candidate:
    def __init__(
        self, parameters: Parameters, seed: int, oldest: xgboost.DMatrix, newest: xgboost.DMatrix
    ) -> None:
        self.parameters = parameters
        self.losses: list[float] = []
        self._oldest, self._newest = oldest, newest
        settings = {**_settings(parameters, seed), "num_class": 3}
        self._booster = xgboost.Booster(settings, [oldest, newest])

    def grow(self, trees: int) -> float:
        """Boost to as many rounds unless there is no more to gain; return the least loss of any."""
        while len(self.losses) < trees and not self.is_done:
            self._booster.update(self._oldest, len(self.losses))
            evaluated = self._booster.eval(self._newest)
            self.losses.append(float(evaluated.rpartition(":")[2]))
        return min(self.losses)

    @property
    def best(self) -> int:
        """The number of rounds with the least loss."""
        return int(np.argmin(self.losses)) + 1

    @property
    def is_done(self) -> bool:
        """Whether the last rounds gained nothing."""
        return bool(self.losses) and len(self.losses) - self.best >= _PATIENCE


def search_boosted(dataset: Dataset, train: Positions, seed: int) -> Search:
    """Return the best of :data:`SETS`, and its rounds, on the newest part of the training window itself.

    A set is given up where others lose less with as many rounds; the one that is left is boosted
    until rounds gain nothing more.
    """
    fold = validation(dataset, train)
    oldest = _matrix(dataset, fold.train)
    newest = _matrix(dataset, fold.test, ref=oldest)
    best = halve([_Candidate(parameters, seed, oldest, newest) for parameters in SETS], _RUNGS)
    best.grow(_MOST_ROUNDS)
    return Search({**best.parameters, "rounds": best.best}, len(SETS))


def fit_boosted(dataset: Dataset, train: Positions, parameters: Parameters, seed: int) -> XGBClassifier:
    """Fit boosted trees on the whole window, as many rounds as ``parameters`` say."""
    boosted = XGBClassifier(n_estimators=int(parameters["rounds"]), **_settings(parameters, seed))
    weights = sample_weights(dataset, train)
    return boosted.fit(dataset.rows[train], dataset.labels.label[train], sample_weight=weights)


def _settings(parameters: Parameters, seed: int) -> dict[str, Any]:
    return {
        "max_depth": int(parameters["max_depth"]),
        "min_child_weight": parameters["min_child_weight"],
        "learning_rate": 0.1,
        "subsample": 0.7,
        "colsample_bytree": 0.7,
        "reg_lambda": 5.0,
        "max_bin": _BINS,
        "tree_method": "hist",
        "objective": "multi:softprob",
        "eval_metric": "mlogloss",
        "random_state": seed,
        # What a round draws follows from its number: not from what else was grown between.
        "seed_per_iteration": True,
        "n_jobs": 1,
    }


def _matrix(
    dataset: Dataset, positions: Positions, ref: xgboost.QuantileDMatrix | None = None
) -> xgboost.QuantileDMatrix:
    return xgboost.QuantileDMatrix(
        dataset.rows[positions],
        dataset.labels.label[positions],
        weight=sample_weights(dataset, positions),
        max_bin=_BINS,
        nthread=1,
        ref=ref,
    )
