"""How features and predictions were distributed when a model was made: what drift is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.signal import BUY, CLASSES, SELL

BINS = 10
PROBABILITY_EDGES = tuple(k / BINS for k in range(1, BINS))


@dataclass(frozen=True)
class Distribution:
    """Ten bins: the 9 inner ``edges``, ascending, and the share of all values in each bin.

    A value on an edge belongs to the bin above it. A feature of few values has edges that are
    equal, and bins that are empty.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Reference:
    """The training window's ``rows`` rows by feature, and what the model made of rows it had not seen.

    ``predictions`` holds each class's calibrated probabilities out of sample; ``hit_rate`` the
    share of buy and of sell signals that turned out so there, None where there was no signal.
    """

    features: dict[str, Distribution]
    predictions: dict[str, Distribution]
    hit_rate: dict[str, float | None]
    rows: int


def reference(
    dataset: Dataset, probabilities: npt.NDArray[np.float64], precision: Mapping[str, float | None]
) -> Reference:
    """Return the reference of a model that was fitted on all of ``dataset``.

    ``probabilities`` are calibrated and out of sample, ``(n, 3)``; ``precision`` is that of the
    signals made of them, by class.
    """
    return Reference(
        features={name: by_deciles(dataset.column(name)) for name in dataset.names},
        predictions={
            name: Distribution(PROBABILITY_EDGES, shares(probabilities[:, index], PROBABILITY_EDGES))
            for index, name in enumerate(CLASSES)
        },
        hit_rate={CLASSES[side]: precision[CLASSES[side]] for side in (BUY, SELL)},
        rows=len(dataset.rows),
    )


def by_deciles(values: npt.NDArray[np.floating]) -> Distribution:
    """Return the distribution of ``values`` (finite, at least one) between its own deciles."""
    edges = tuple(map(float, np.quantile(values, PROBABILITY_EDGES, method="inverted_cdf")))
    return Distribution(edges, shares(values, edges))


def shares(values: npt.NDArray[np.floating], edges: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of ``values`` (finite, at least one) in each of the bins between ``edges``."""
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return tuple(map(float, counts / len(values)))
