"""The two algorithms, on one thread each: Spark runs many fits side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.export import boosted_to_onnx, forest_to_onnx
from cryptobot.learning.splits import before

SEED = 20_240_229
RANDOM_FOREST = "random_forest"
XGBOOST = "xgboost"

_LEAST_DRAWN = 0.1
_VALIDATION_SHARE = 0.15
_MOST_ROUNDS = 300
_PATIENCE = 25

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Algorithm:
    """How a model is fitted on a data set's positions, and made ONNX."""

    fit: Callable[[Dataset, Positions], Any]
    to_onnx: Callable[[Any], bytes]


def fit_forest(dataset: Dataset, train: Positions) -> RandomForestClassifier:
    """Fit a random forest, each tree on as many rows as there are labels of their own.

    Labels that overlap are nearly copies of each other: a tree that drew them all would not
    differ from the next (López de Prado 2018, chapter 6).
    """
    drawn = float(np.clip(dataset.uniqueness[train].mean(), _LEAST_DRAWN, 1.0))
    forest = RandomForestClassifier(
        n_estimators=200,
        max_depth=8,
        min_samples_leaf=max(5, round(drawn * len(train) / 200)),
        max_features="sqrt",
        max_samples=drawn,
        random_state=SEED,
        n_jobs=1,
    )
    return forest.fit(dataset.rows[train], dataset.labels.label[train], sample_weights(dataset, train))


def fit_boosted(dataset: Dataset, train: Positions) -> XGBClassifier:
    """Fit boosted trees; how many is found on the newest part of the training window itself."""
    cut = round(len(train) * (1 - _VALIDATION_SHARE))
    newest = train[cut:]
    oldest = before(dataset.labels, train[:cut], int(dataset.labels.row[newest[0]]), dataset.barriers.horizon)
    trial = _boosted(_MOST_ROUNDS, early_stopping_rounds=_PATIENCE)
    trial.fit(
        dataset.rows[oldest],
        dataset.labels.label[oldest],
        sample_weight=sample_weights(dataset, oldest),
        eval_set=[(dataset.rows[newest], dataset.labels.label[newest])],
        sample_weight_eval_set=[sample_weights(dataset, newest)],
        verbose=False,
    )
    final = _boosted(trial.best_iteration + 1)
    return final.fit(
        dataset.rows[train], dataset.labels.label[train], sample_weight=sample_weights(dataset, train)
    )


def sample_weights(dataset: Dataset, positions: Positions) -> npt.NDArray[np.float64]:
    """Return uniqueness times class weight: each class weighs the same, the mean weight is 1."""
    weights = dataset.uniqueness[positions]
    labels = dataset.labels.label[positions]
    totals = np.bincount(labels, weights, minlength=3)
    balanced = weights / totals[labels]
    return np.asarray(balanced * (len(balanced) / balanced.sum()))


def _boosted(rounds: int, **more: Any) -> XGBClassifier:
    return XGBClassifier(
        n_estimators=rounds,
        learning_rate=0.05,
        max_depth=4,
        min_child_weight=20,
        subsample=0.7,
        colsample_bytree=0.7,
        reg_lambda=5.0,
        max_bin=64,
        tree_method="hist",
        objective="multi:softprob",
        eval_metric="mlogloss",
        random_state=SEED,
        n_jobs=1,
        **more,
    )


ALGORITHMS = {
    RANDOM_FOREST: Algorithm(fit_forest, forest_to_onnx),
    XGBOOST: Algorithm(fit_boosted, boosted_to_onnx),
}
