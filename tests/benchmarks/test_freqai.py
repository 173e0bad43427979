"""What FreqAI is given: the product's rows, labels and folds as they are."""

from __future__ import annotations

import numpy as np

from benchmarks.freqai import frame
from cryptobot.learning.signal import CLASSES
from tests.learning.planted import dataset


def test_freqai_learns_from_and_predicts_the_same_rows() -> None:
    data = dataset()
    made = frame(data)
    features = [name for name in made.columns if "%" in name]
    assert features == [f"%-{name}" for name in data.names]
    np.testing.assert_array_equal(made[features].to_numpy(), data.rows)
    assert [CLASSES.index(name) for name in made["&-label"]] == data.labels.label.tolist()
    for number, fold in enumerate(data.folds):
        part = made[f"fold{number}"].to_numpy()
        np.testing.assert_array_equal(np.flatnonzero(part == 1), fold.train)
        np.testing.assert_array_equal(np.flatnonzero(part == 2), fold.test)
