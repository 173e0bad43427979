"""Permutation importance: how much worse a model predicts when one feature says nothing any more.

Breiman (2001), *Random Forests*; on candles that were not learned from, as Fisher, Rudin, Dominici
(2019) ask. Features that tell much the same stand in for each other: each then looks less important.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from cryptobot.learning.scores import log_loss

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]

REPEATS = 2
MOST_ROWS = 1_000


@dataclass(frozen=True)
class Importance:
    """By how much the log loss rises without ``feature``, and how much that differs between folds."""

    feature: str
    mean: float
    deviation: float

    def document(self) -> dict[str, str | float]:
        """Return the fields by name."""
        return asdict(self)


def permutation_importance(
    predict: Callable[[Rows], npt.NDArray[np.floating]], rows: Rows, labels: Integers, seed: int
) -> Floats:
    """Return the rise of the log loss when each column's values are shuffled among the rows.

    Parameters
    ----------
    predict
        Returns probabilities ``(n, 3)`` of rows ``(n, features)``.
    rows, labels
        Of one test fold, in time order. Of more than :data:`MOST_ROWS`, as many spread evenly count.
    seed
        Of the shuffles; the same gives the same.

    Returns
    -------
    One rise a feature, the mean of :data:`REPEATS` shuffles.
    """
    at = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(np.int64))
    rows, labels, random = rows[at], labels[at], np.random.default_rng(seed)
    count, features = rows.shape
    told = log_loss(np.asarray(predict(rows), dtype=np.float64), labels).mean()
    rises = np.zeros(features)
    for _ in range(REPEATS):
        # All features in one call: it costs less than one a feature.
        shuffled = np.tile(rows, (features, 1, 1))
        for feature in range(features):
            shuffled[feature, :, feature] = random.permutation(rows[:, feature])
        untold = np.asarray(predict(shuffled.reshape(-1, features)), dtype=np.float64)
        rises += log_loss(untold, np.tile(labels, features)).reshape(features, count).mean(axis=1) - told
    return rises / REPEATS


def ranked(names: Sequence[str], rises: Floats) -> tuple[Importance, ...]:
    """Return the features, the most important first, by their ``rises`` ``(folds, features)``."""
    mean, deviation = rises.mean(axis=0), rises.std(axis=0)
    order = np.argsort(-mean, kind="stable")
    return tuple(Importance(names[k], float(mean[k]), float(deviation[k])) for k in order)
