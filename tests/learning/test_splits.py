"""Walk-forward splits: no training label overlaps a test label."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryptobot.learning.labels import Labels
from cryptobot.learning.splits import walk_forward


@st.composite
def labelled(draw: st.DrawFn) -> Labels:
    """Labels in time order, with holes between candles, each ending within 20 candles."""
    count = draw(st.integers(200, 400))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    row = np.cumsum(random.integers(1, 4, count))
    return Labels(row, random.integers(0, 3, count), row + random.integers(1, 21, count))


@settings(max_examples=80, deadline=None)
@given(labels=labelled(), folds=st.integers(1, 6), embargo=st.integers(0, 30))
def test_training_is_known_before_the_test_begins(labels: Labels, folds: int, embargo: int) -> None:
    splits = list(walk_forward(labels, folds, embargo))
    assert len(splits) == folds
    for fold in splits:
        assert labels.end[fold.train].max() + embargo < labels.row[fold.test].min()
        overlapping = labels.end[fold.train][:, None] >= labels.row[fold.test][None, :]
        assert not overlapping.any()


@settings(max_examples=40, deadline=None)
@given(labels=labelled(), folds=st.integers(2, 6))
def test_tests_are_consecutive_and_training_only_grows(labels: Labels, folds: int) -> None:
    splits = list(walk_forward(labels, folds, embargo=5))
    tested = np.concatenate([fold.test for fold in splits])
    assert tested.tolist() == list(range(round(len(labels) * 0.4), len(labels)))
    for earlier, later in pairwise(splits):
        assert set(earlier.train) <= set(later.train)


def test_too_few_labels_are_refused() -> None:
    row = np.arange(10)
    labels = Labels(row, row % 3, row + 8)
    with pytest.raises(ValueError, match="nothing to train on"):
        list(walk_forward(labels, 2, embargo=5))
    with pytest.raises(ValueError, match="too few for 20 folds"):
        list(walk_forward(labels, 20, embargo=0))
