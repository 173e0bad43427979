"""Calibration: overconfidence is found and taken back."""

from __future__ import annotations

import numpy as np

from cryptobot.learning.calibration import Calibration, fit_calibration
from cryptobot.learning.scores import log_loss


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return true probabilities and labels drawn from them."""
    random = np.random.default_rng(seed)
    p = random.dirichlet([2, 3, 2], count)
    return p, (p.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)


def test_the_default_changes_nothing() -> None:
    p, _ = drawn(20)
    np.testing.assert_allclose(Calibration().apply(p), p, atol=1e-9)


def test_overconfidence_and_a_skew_are_undone() -> None:
    p, labels = drawn(20_000)
    distorted = Calibration(0.5, (0.4, -0.3, 0.0)).apply(p)
    fitted = fit_calibration(distorted, labels)
    assert abs(fitted.temperature - 2.0) < 0.1
    np.testing.assert_allclose(fitted.apply(distorted), p, atol=0.03)


def test_calibrated_probabilities_are_never_worse_on_what_they_were_fitted_on() -> None:
    for seed in range(5):
        p, labels = drawn(800, seed)
        distorted = Calibration(0.3 + 0.4 * seed).apply(p)
        fitted = fit_calibration(distorted, labels)
        assert log_loss(fitted.apply(distorted), labels).mean() <= log_loss(distorted, labels).mean() + 1e-9


def test_a_few_rows_change_little() -> None:
    p, _ = drawn(5)
    fitted = fit_calibration(p, np.zeros(5, dtype=np.int64))
    assert np.abs(fitted.apply(p) - p).max() < 0.1


def test_probabilities_of_zero_stay_finite() -> None:
    p = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    applied = fit_calibration(p, np.array([0, 2])).apply(p)
    assert np.isfinite(applied).all()
    np.testing.assert_allclose(applied.sum(axis=1), 1)
