"""Calibration: a temperature and a bias per class between a model's probabilities and the served ones.

Guo, Pleiss, Sun, Weinberger (2017), *On Calibration of Modern Neural Networks*; the biases give
back the base rates that class weights took away in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_FLOOR = 1e-6
_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """``softmax(log(p) / temperature + bias)``; the default changes nothing."""

    temperature: float = 1.0
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)

    def apply(self, probabilities: npt.NDArray[np.floating]) -> Array:
        """Return calibrated probabilities, float64 of the same shape ``(n, classes)``."""
        floored = np.maximum(np.asarray(probabilities, dtype=np.float64), _FLOOR)
        logits = np.log(floored) / self.temperature + np.asarray(self.bias)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def fit_calibration(probabilities: Array, labels: npt.NDArray[np.int64], weights: Array) -> Calibration:
    """Return the calibration with the least weighted log loss on predictions of unseen candles.

    The loss is convex in ``(1 / temperature, bias)``: Newton's method, deterministic.
    """
    log_p = np.log(np.maximum(probabilities, _FLOOR))
    classes = log_p.shape[1]
    target = np.eye(classes)[labels]
    share = weights / weights.sum()
    # Logits are design @ theta: 1 / temperature first, then the biases of all classes but the last.
    design = np.zeros((*log_p.shape, classes))
    design[:, :, 0] = log_p
    for k in range(classes - 1):
        design[:, k, k + 1] = 1
    theta = np.zeros(classes)
    theta[0] = 1.0
    ridge = 1e-6 * np.eye(classes)
    for _ in range(_STEPS):
        p = _softmax(design @ theta)
        gradient = np.einsum("n,nk,nkd->d", share, p - target, design)
        spread = np.einsum("nk,nkd,nke->nde", p, design, design)
        mean = np.einsum("nk,nkd->nd", p, design)
        hessian = np.einsum("n,nde->de", share, spread - mean[:, :, None] * mean[:, None, :])
        step = np.linalg.solve(hessian + ridge, gradient)
        theta = theta - step
        if np.abs(step).max() < 1e-9:
            break
    slope = float(np.clip(theta[0], 0.05, 20.0))
    return Calibration(1 / slope, (*(float(b) for b in theta[1:]), 0.0))


def _softmax(logits: Array) -> Array:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
