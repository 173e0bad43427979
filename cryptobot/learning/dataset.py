"""What a model learns from: features and labels of one symbol, joined candle by candle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryptobot.learning.labels import Barriers, Labels, triple_barrier, uniqueness
from cryptobot.learning.splits import Fold, walk_forward
from cryptobot.market.interval import Interval

FOLDS = 5
LEAST_LABELS = 1_000


class TooLittleHistoryError(ValueError):
    """There are too few candles to learn from; the message tells how many there are and are needed."""


class FeaturesMissingError(ValueError):
    """Candles have no features, or those of another version; the message names the first."""


@dataclass(frozen=True)
class Dataset:
    """Labelled candles of one symbol in time order.

    ``rows`` is float32 ``(labels, features)``; ``open`` holds the opens of *all* candles and
    ``labels.row`` points into it.
    """

    symbol: str
    interval: Interval
    barriers: Barriers
    names: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    labels: Labels
    open: npt.NDArray[np.float64]
    open_time: pd.DatetimeIndex
    candles: int

    @cached_property
    def uniqueness(self) -> npt.NDArray[np.float64]:
        """Average uniqueness of each label, in (0, 1]."""
        return uniqueness(self.labels)

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """The walk-forward folds, with an embargo as long as a label's horizon."""
        return tuple(walk_forward(self.labels, FOLDS, embargo=self.barriers.horizon))

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """Return one feature's values."""
        return self.rows[:, self.names.index(name)]


def make_dataset(
    symbol: str,
    interval: Interval,
    candles: pd.DataFrame,
    features: pd.DataFrame,
    names: Sequence[str],
    barriers: Barriers | None = None,
) -> Dataset:
    """Join features and labels of the same candles, leaving out those without either.

    ``candles`` are closed and in time order; ``features`` holds ``open_time`` and ``names``.

    Raises
    ------
    FeaturesMissingError
        When a candle has no row of features at all.
    TooLittleHistoryError
        When fewer than :data:`LEAST_LABELS` candles have both, or one class never occurs in the
        first training window.
    """
    barriers = barriers or Barriers()
    times = pd.DatetimeIndex(candles["open_time"])
    aligned = features.set_index("open_time").reindex(times)
    absent = ~times.isin(features["open_time"])
    if absent.any():
        raise FeaturesMissingError(
            f"{symbol} {interval}: {absent.sum()} of {len(times)} candles have no features, the first at "
            f"{times[absent][0].isoformat()}; run the features job over them first"
        )
    rows = aligned[list(names)].to_numpy(np.float32)
    labels = triple_barrier(candles, interval, barriers)
    known = np.isfinite(rows[labels.row]).all(axis=1)
    labels = Labels(labels.row[known], labels.label[known], labels.end[known])
    if len(labels) < LEAST_LABELS:
        raise TooLittleHistoryError(
            f"{symbol} {interval}: {len(times)} candles give {len(labels)} labelled rows, and {LEAST_LABELS} "
            f"are needed (about {LEAST_LABELS + barriers.volatility_span + barriers.horizon} candles without "
            f"gaps); fetch more history or choose a finer CRYPTOBOT_SIGNAL_INTERVAL"
        )
    dataset = Dataset(
        symbol, interval, barriers, tuple(names), rows[labels.row], labels,
        candles["open"].to_numpy(np.float64), times[labels.row], len(times),
    )  # fmt: skip
    seen = np.unique(labels.label[dataset.folds[0].train])
    if len(seen) < 3:
        raise TooLittleHistoryError(
            f"{symbol} {interval}: the first {len(dataset.folds[0].train)} labels hold {len(seen)} of the "
            f"3 classes; fetch more history"
        )
    return dataset
