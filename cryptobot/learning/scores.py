"""How good probabilities are on candles that were not learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from cryptobot.learning.signal import BUY, CLASSES, HOLD, SELL

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FLOOR = 1e-6


def log_loss(probabilities: Floats, labels: Integers) -> Floats:
    """Return each row's log loss; its mean is the score."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _FLOOR))


def brier(probabilities: Floats, labels: Integers) -> float:
    """Return the multi-class Brier score, from 0 to 2."""
    return float(((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1).mean())


def direction_auc(probabilities: Floats, labels: Integers) -> float | None:
    """Return how well buys are told from sells (area under the curve), holds left out."""
    moved = labels != HOLD
    if len(np.unique(labels[moved])) < 2:
        return None
    buy, sell = probabilities[moved, BUY], probabilities[moved, SELL]
    return float(roc_auc_score(labels[moved] == BUY, buy / (buy + sell)))


def direction_auc_error(labels: Integers, uniqueness: Floats) -> float:
    """Return the standard error of :func:`direction_auc` without skill (Mann and Whitney, 1947).

    Labels that overlap tell the same story: they count by their uniqueness.
    """
    buys, sells = (max(1.0, float(uniqueness[labels == side].sum())) for side in (BUY, SELL))
    return float(np.sqrt((buys + sells + 1) / (12 * buys * sells)))


def precision(signals: Integers, labels: Integers) -> dict[str, float | None]:
    """Return, for each signal, the share that turned out so; None where it was never given."""
    return {
        name: float((labels[signals == index] == index).mean()) if (signals == index).any() else None
        for index, name in enumerate(CLASSES)
    }


def scores(probabilities: Floats, labels: Integers, signals: Integers) -> dict[str, Any]:
    """Return all figures of classification by name."""
    present = np.unique(labels)
    return {
        "log_loss": float(log_loss(probabilities, labels).mean()),
        "brier": brier(probabilities, labels),
        "auc": float(roc_auc_score(np.eye(3)[labels][:, present], probabilities[:, present], average="macro"))
        if len(present) > 1
        else None,
        "auc_direction": direction_auc(probabilities, labels),
        "mcc": float(matthews_corrcoef(labels, signals)),
        "precision": precision(signals, labels),
    }
