"""The random forest: its parameters' search, and the fit with those chosen."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.scores import log_loss
from cryptobot.learning.search import Parameters, Search, halve
from cryptobot.learning.splits import Fold
from cryptobot.learning.window import Positions, sample_weights, validation

TREES = 200
SETS: tuple[Parameters, ...] = (
    {"max_depth": 8, "least_leaf_share": 0.005},
    {"max_depth": 6, "least_leaf_share": 0.01},
    {"max_depth": 4, "least_leaf_share": 0.02},
    {"max_depth": 12, "least_leaf_share": 0.0025},
)
"""What is tried, from the usual to what a window may ask for: stiffer forests, and a freer one."""

_RUNGS = (16, 40)
_LEAST_DRAWN = 0.1
_LEAST_LEAF = 5


class _Candidate:
    def __init__(self, dataset: Dataset, fold: Fold, parameters: Parameters, seed: int) -> None:
        self.parameters = parameters
        self._forest = _forest(dataset, fold.train, parameters, seed, 0).set_params(warm_start=True)
        self._train = _rows(dataset, fold.train)
        self._rows, self._labels, self._weights = _rows(dataset, fold.test)

    def grow(self, trees: int) -> float:
        self._forest.set_params(n_estimators=trees).fit(*self._train)
        found = np.zeros((len(self._rows), 3))
        found[:, self._forest.classes_] = self._forest.predict_proba(self._rows)
        return float(np.average(log_loss(found, self._labels), weights=self._weights))


def search_forest(dataset: Dataset, train: Positions, seed: int) -> Search:
    """Return the best of :data:`SETS` on the newest part of the training window itself."""
    fold = validation(dataset, train)
    best = halve([_Candidate(dataset, fold, parameters, seed) for parameters in SETS], _RUNGS)
    return Search(best.parameters, len(SETS))


def fit_forest(
    dataset: Dataset, train: Positions, parameters: Parameters, seed: int
) -> RandomForestClassifier:
    """Fit a random forest, each tree on as many rows as there are labels of their own.

    Labels that overlap are nearly copies of each other: a tree that drew them all would not
    differ from the next (López de Prado 2018, chapter 6).
    """
    return _forest(dataset, train, parameters, seed, TREES).fit(*_rows(dataset, train))


def _forest(
    dataset: Dataset, train: Positions, parameters: Parameters, seed: int, trees: int
) -> RandomForestClassifier:
    drawn = float(np.clip(dataset.uniqueness[train].mean(), _LEAST_DRAWN, 1.0))
    leaf = round(drawn * len(train) * parameters["least_leaf_share"])
    return RandomForestClassifier(
        n_estimators=trees,
        max_depth=int(parameters["max_depth"]),
        min_samples_leaf=max(_LEAST_LEAF, leaf),
        max_features="sqrt",
        max_samples=drawn,
        random_state=seed,
        n_jobs=1,
    )


def _rows(dataset: Dataset, positions: Positions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return dataset.rows[positions], dataset.labels.label[positions], sample_weights(dataset, positions)
