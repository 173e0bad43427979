"""Purged walk-forward splits: training always ends before the test begins, labels included.

López de Prado (2018), chapter 7; with training only on the past, the purge is of training
labels still open when the test begins, and the embargo is kept between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cryptobot.learning.labels import Labels

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Positions in the labels: what is learned from, and what is predicted."""

    train: Integers
    test: Integers


def walk_forward(labels: Labels, folds: int, embargo: int, first_share: float = 0.4) -> Iterator[Fold]:
    """Yield ``folds`` splits over labels in time order, each training on all that came before.

    The first trains on the first ``first_share`` of the labels; the rest is cut into tests of
    equal size. A training label must be known ``embargo`` candles before the test's first.

    Raises
    ------
    ValueError
        When a fold would have nothing to train on.
    """
    count = len(labels)
    edges = np.linspace(round(count * first_share), count, folds + 1).round().astype(int)
    for begin, end in pairwise(edges):
        if begin == end:
            raise ValueError(f"{count} labels are too few for {folds} folds")
        test = np.arange(begin, end)
        train = before(labels, np.arange(begin), int(labels.row[begin]), embargo)
        if not len(train):
            raise ValueError(f"{count} labels leave nothing to train on after purge and embargo")
        yield Fold(train, test)


def before(labels: Labels, positions: Integers, row: int, embargo: int) -> Integers:
    """Return those of ``positions`` whose labels are known ``embargo`` candles before ``row``."""
    return positions[labels.end[positions] + embargo < row]
