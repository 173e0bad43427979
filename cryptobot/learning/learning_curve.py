"""The learning curve: how much better a model predicts for having seen more of the past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.splits import Fold

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

SHARES = (0.125, 0.25, 0.5)


@dataclass(frozen=True)
class Point:
    """The log loss, before calibration, of a model that learned from the newest ``rows`` labels."""

    rows: int
    log_loss: float

    def document(self) -> dict[str, int | float]:
        """Return the fields by name."""
        return asdict(self)


def predict_with_less(dataset: Dataset, fold: Fold, fit: Callable[[Positions], Any]) -> dict[int, Floats]:
    """Return the probabilities of the fold's test, ``(n, 3)``, by how many labels were learned from.

    They are the newest of the training window: :data:`SHARES` of it, but for those that do not
    hold all classes. ``fit`` returns a model of the positions that it is given.
    """
    found = {}
    for share in SHARES:
        newest = fold.train[-round(len(fold.train) * share) :]
        if len(np.unique(dataset.labels.label[newest])) == 3:
            probabilities = fit(newest).predict_proba(dataset.rows[fold.test])
            found[len(newest)] = np.asarray(probabilities, dtype=np.float64)
    return found
