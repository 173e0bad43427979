"""Walk-forward splits: no training label overlaps a test label."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryptobot.learning.labels import Barriers, Labels, triple_barrier
from cryptobot.learning.splits import before, walk_forward
from cryptobot.learning.window import validation
from cryptobot.market import Interval
from tests.features.market import walk
from tests.learning.planted import dataset

QUARTER = Interval.MINUTE_15
BARRIERS = Barriers(horizon=12, volatility_span=24)


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


def alive(labels: Labels, positions: np.ndarray) -> set[int]:
    """Return the rows of the candles that the labels at ``positions`` look at."""
    return {row for at in positions for row in range(labels.row[at] + 1, labels.end[at] + 1)}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    missing=st.sets(st.integers(0, 599), max_size=12),
    folds=st.integers(2, 5),
    embargo=st.integers(0, 30),
)
def test_no_candle_is_of_a_training_label_and_of_a_test_label(
    seed: int, missing: set[int], folds: int, embargo: int
) -> None:
    candles = walk(600, seed=seed).drop(index=missing).reset_index(drop=True)
    labels = triple_barrier(candles, QUARTER, BARRIERS)
    for fold in walk_forward(labels, folds, embargo):
        first = int(labels.row[fold.test[0]])
        assert max(alive(labels, fold.train)) < min(alive(labels, fold.test)) - embargo
        later = candles.copy()
        later.loc[first - embargo :, ["open", "high", "low", "close"]] *= 3.0
        again = triple_barrier(later, QUARTER, BARRIERS)
        known = np.searchsorted(again.row, labels.row[fold.train])
        np.testing.assert_array_equal(again.row[known], labels.row[fold.train])
        np.testing.assert_array_equal(again.label[known], labels.label[fold.train])


@settings(max_examples=40, deadline=None)
@given(labels=labelled(), size=st.integers(150, 200))
def test_parameters_are_chosen_on_labels_that_do_not_overlap_what_they_are_learned_from(
    labels: Labels, size: int
) -> None:
    data = replace(dataset(), labels=labels)
    fold = validation(data, np.arange(size))
    horizon = data.barriers.horizon
    assert labels.end[fold.train].max() + horizon < labels.row[fold.test].min()
    assert fold.test.tolist() == list(range(fold.test[0], size))
    assert not alive(labels, fold.train) & alive(labels, fold.test)


@settings(max_examples=40, deadline=None)
@given(labels=labelled(), first=st.integers(50, 199), embargo=st.integers(0, 30))
def test_what_is_known_before_a_row_is_left_and_nothing_else(
    labels: Labels, first: int, embargo: int
) -> None:
    row, positions = int(labels.row[first]), np.arange(len(labels))
    kept = set(before(labels, positions, row, embargo))
    assert kept == {at for at in positions if labels.end[at] + embargo < row}


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
