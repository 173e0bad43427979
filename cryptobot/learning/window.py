"""A training window: what each of its rows weighs, and the newest part, on which parameters are chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.splits import Fold, before

VALIDATION_SHARE = 0.15

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


def validation(dataset: Dataset, train: Positions) -> Fold:
    """Return the newest part of a training window as a test, and what may be learned from for it.

    Purged and with an embargo like any fold: parameters chosen there saw nothing of what comes after
    the window, and the models that they are chosen by saw nothing of the part.
    """
    cut = round(len(train) * (1 - VALIDATION_SHARE))
    newest = train[cut:]
    row = int(dataset.labels.row[newest[0]])
    return Fold(before(dataset.labels, train[:cut], row, dataset.barriers.horizon), newest)


def sample_weights(dataset: Dataset, positions: Positions) -> Floats:
    """Return uniqueness times class weight: each class weighs the same, the mean weight is 1."""
    weights = dataset.uniqueness[positions]
    labels = dataset.labels.label[positions]
    totals = np.bincount(labels, weights, minlength=3)
    balanced = weights / totals[labels]
    return np.asarray(balanced * (len(balanced) / balanced.sum()))
