"""Reliability: bins that say how often what was predicted came."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.learning.calibration import Calibration
from cryptobot.learning.reliability import reliability
from tests.learning.test_calibration import drawn


def test_bins_hold_every_row_once_and_what_came_of_it() -> None:
    p = np.array([[0.25, 0.7, 0.05], [0.25, 0.7, 0.05], [0.0, 0.0, 1.0], [0.25, 0.7, 0.05]])
    found = reliability(p, np.array([0, 1, 2, 1]), np.ones(4))
    low, mid = found.bins["sell"]
    assert (low.low, low.high, low.rows, low.predicted, low.observed) == (0.0, 0.1, 1, 0.0, 0.0)
    assert (mid.low, mid.rows, mid.predicted) == (0.2, 3, 0.25)
    assert mid.observed == pytest.approx(1 / 3)
    assert found.bins["buy"][-1].high == 1.0
    assert {sum(bin.rows for bin in bins) for bins in found.bins.values()} == {4}
    off = (3 / 4 * (1 / 3 - 0.25), 3 / 4 * (0.7 - 2 / 3), 3 / 4 * 0.05)
    assert found.error == pytest.approx(np.mean(off))


def test_true_probabilities_are_off_by_chance_alone() -> None:
    p, labels = drawn(4_000)
    true = reliability(p, labels, np.ones(4_000))
    assert true.error == pytest.approx(true.by_chance, rel=0.4)
    overconfident = reliability(Calibration(0.4).apply(p), labels, np.ones(4_000))
    assert overconfident.error > 5 * overconfident.by_chance


def test_labels_that_overlap_leave_more_to_chance() -> None:
    p, labels = drawn(1_000)
    alone, together = (reliability(p, labels, np.full(1_000, share)) for share in (1.0, 0.25))
    assert together.error == alone.error
    assert together.by_chance == pytest.approx(2 * alone.by_chance, rel=0.1)
