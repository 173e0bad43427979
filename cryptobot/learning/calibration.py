"""Calibration: a temperature and a bias per class between a model's probabilities and the served ones.

Guo, Pleiss, Sun, Weinberger (2017), *On Calibration of Modern Neural Networks*; the biases give
back the base rates that class weights took away in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PRIOR_ROWS = 50
_FLOOR = 1e-6
_STEPS = 50
_CONVERGED = 1e-9
_SLOPES = (0.05, 20.0)


@dataclass(frozen=True)
class Calibration:
    """``softmax(log(p) / temperature + bias)``; the default changes nothing."""

    temperature: float = 1.0
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)

    def apply(self, probabilities: npt.NDArray[np.floating]) -> Array:
        """Return calibrated probabilities, float64 of the same shape ``(n, classes)``."""
        floored = np.maximum(np.asarray(probabilities, dtype=np.float64), _FLOOR)
        logits = np.log(floored) / self.temperature + np.asarray(self.bias)
        return np.exp(_log_softmax(logits))


def fit_calibration(probabilities: Array, labels: npt.NDArray[np.int64]) -> Calibration:
    """Return the calibration with the least log loss on predictions of candles not learned from.

    The loss is convex in ``(1 / temperature, bias)``: damped Newton, deterministic. A prior as
    heavy as :data:`PRIOR_ROWS` rows holds few predictions near no calibration at all.
    """
    log_p = np.log(np.maximum(probabilities, _FLOOR))
    rows, classes = log_p.shape
    target = np.eye(classes)[labels]
    # Logits are design @ theta: 1 / temperature first, then the biases of all classes but the last.
    design = np.zeros((rows, classes, classes))
    design[:, :, 0] = log_p
    for k in range(classes - 1):
        design[:, k, k + 1] = 1
    start = np.eye(classes)[0]

    def loss(theta: Array) -> float:
        chosen = _log_softmax(design @ theta)[np.arange(rows), labels]
        return float(PRIOR_ROWS / 2 * ((theta - start) ** 2).sum() - chosen.sum())

    theta = start.copy()
    for _ in range(_STEPS):
        p = np.exp(_log_softmax(design @ theta))
        gradient = np.einsum("nk,nkd->d", p - target, design) + PRIOR_ROWS * (theta - start)
        mean = np.einsum("nk,nkd->nd", p, design)
        curvature = np.einsum("nk,nkd,nke->de", p, design, design) - mean.T @ mean
        step = np.linalg.solve(curvature + PRIOR_ROWS * np.eye(classes), gradient)
        while loss(theta - step) > loss(theta) and np.abs(step).max() > _CONVERGED:
            step = step / 2  # a whole step can overshoot where predictions are overconfident
        theta = theta - step
        if np.abs(step).max() <= _CONVERGED:
            break
    slope = float(np.clip(theta[0], *_SLOPES))
    return Calibration(1 / slope, (*(float(bias) for bias in theta[1:]), 0.0))


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
