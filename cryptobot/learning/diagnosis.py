"""What a candidate's folds tell beyond how good it is: what it looks at, and whether more would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.importance import Importance, ranked
from cryptobot.learning.learning_curve import Point
from cryptobot.learning.scores import log_loss
from cryptobot.learning.training import FoldFit


@dataclass(frozen=True)
class Diagnosis:
    """Features by importance on the test folds, and the learning curve on the last of them."""

    importance: tuple[Importance, ...]
    learning_curve: tuple[Point, ...]


def diagnose(dataset: Dataset, members: Mapping[str, Sequence[FoldFit]]) -> Diagnosis:
    """Return the diagnosis of the mean of ``members`` (of one, of itself), by their fits of each fold.

    The importance of the mean is taken to be the mean of the members'.
    """
    rises = np.mean([[fit.importance for fit in fits] for fits in members.values()], axis=0)
    last = [fits[-1] for fits in members.values()]
    split = dataset.folds[-1]
    labels = dataset.labels.label[split.test]
    curve = [
        Point(rows, float(log_loss(np.mean([fit.with_less[rows] for fit in last], axis=0), labels).mean()))
        for rows in sorted(last[0].with_less)
    ]
    whole = np.mean([fit.probabilities for fit in last], axis=0)
    curve.append(Point(len(split.train), float(log_loss(whole, labels).mean())))
    return Diagnosis(ranked(dataset.names, rises), tuple(curve))
