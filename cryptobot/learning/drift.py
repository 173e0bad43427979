"""Drift: whether the market, or what a model makes of it, has left what the model was trained on.

The measure is the population stability index (Siddiqi 2006, *Credit Risk Scorecards*). Its usual limit
takes rows for independent, which candles are not: a week of them differs from the year that it is part
of, because volatility comes in spells. So a feature counts as shifted only where its index also is
beyond that of nearly all windows, as long, of the training itself; and of predictions, whose windows
are not kept, beyond what chance gives so many independent rows (Yurdakul and Naranjo 2020, *Statistical
properties of the population stability index*, Journal of Risk Model Validation 14(4)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cryptobot.learning.labels import Labels, uniqueness
from cryptobot.learning.reference import BINS, Distribution, shares
from cryptobot.learning.signal import CLASSES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

WEEK = 672
LEAST_ROWS = 96
LEAST_SIGNALS = 20
SHIFTED = 0.25
"""The index from which a distribution is commonly called another one."""
LEAST_SHARE = 0.25
"""So many of the features must have shifted for the market to be called another one."""
USUAL, RARE = 0.95, 0.99
_WORST = NormalDist().inv_cdf(RARE)


@dataclass(frozen=True)
class Index:
    """A stability index, and the limit beyond which it tells of a shift."""

    value: float
    limit: float

    @property
    def shifted(self) -> bool:
        """Whether the limit is passed."""
        return self.value > self.limit


@dataclass(frozen=True)
class FeatureDrift:
    """The features' indices in some windows ``(windows, features)``, against their ``limits``.

    ``shares`` is the share of features beyond their limits, by window; ``share_limit`` the share
    beyond which a window is called drifted.
    """

    names: tuple[str, ...]
    indices: Floats
    limits: Floats
    shares: Floats
    share_limit: float


@dataclass(frozen=True)
class Hits:
    """How often signals of one side turned out so, against the rate out of sample.

    ``lowest`` is the rate that chance alone goes below one time in a hundred, at so many signals
    with outcomes of their own; None without a rate to expect, or with too few signals.
    """

    signals: int
    hits: int
    rate: float | None
    expected: float | None
    lowest: float | None

    @property
    def fallen(self) -> bool:
        """Whether signals turn out so rarely that it is no chance."""
        return self.rate is not None and self.lowest is not None and self.rate < self.lowest


def window_size(trained: int) -> int:
    """Return how many rows a window has for a model trained on so many: a twentieth, at most a week's."""
    return int(np.clip(trained // 20, LEAST_ROWS, WEEK))


def stability_index(reference: Sequence[float], found: npt.NDArray[np.floating], rows: int) -> Floats:
    """Return the index of shares ``found`` ``(..., bins)``, of ``rows`` rows each, against ``reference``.

    An empty bin counts as half a row, so that the index stays finite.
    """
    floor = 0.5 / rows
    expected, actual = np.maximum(np.asarray(reference), floor), np.maximum(found, floor)
    return np.asarray(((actual - expected) * np.log(actual / expected)).sum(axis=-1), dtype=np.float64)


def window_indices(
    rows: npt.NDArray[np.floating], ends: Integers, size: int, references: Sequence[Distribution]
) -> Floats:
    """Return each feature's index ``(ends, features)`` in the ``size`` rows before each of ``ends``."""
    found = np.empty((len(ends), len(references)))
    for feature, reference in enumerate(references):
        bins = np.searchsorted(reference.edges, rows[:, feature], side="right")
        counts = np.zeros((len(rows) + 1, BINS))
        np.cumsum(bins[:, None] == np.arange(BINS), axis=0, out=counts[1:])
        within = (counts[ends] - counts[ends - size]) / size
        found[:, feature] = stability_index(reference.shares, within, size)
    return found


def feature_drift(
    rows: npt.NDArray[np.floating],
    trained: int,
    ends: Integers,
    size: int,
    references: Mapping[str, Distribution],
) -> FeatureDrift:
    """Return the drift of the features in the windows that end before each of ``ends``.

    ``rows`` is ``(n, features)``, finite and in time order, the first ``trained`` of them those of the
    training. What is usual is taken from all of the training's windows, a quarter of a window apart.
    """
    names = tuple(references)
    distributions = list(references.values())
    usual = window_indices(rows, np.arange(size, trained + 1, max(1, size // 4)), size, distributions)
    limits = np.maximum(SHIFTED, np.quantile(usual, USUAL, axis=0))
    share_limit = max(LEAST_SHARE, float(np.quantile((usual > limits).mean(axis=1), RARE)))
    indices = window_indices(rows, ends, size, distributions)
    return FeatureDrift(names, indices, limits, (indices > limits).mean(axis=1), share_limit)


def independent_rows(series: npt.NDArray[np.floating]) -> float:
    """Return how many independent rows tell as much as ``series``, by its autocorrelation.

    Pairs of lags are added up until one is negative (Geyer 1992, *Practical Markov chain Monte Carlo*).
    """
    count = len(series)
    deviation = series - series.mean()
    transformed = np.fft.rfft(deviation, 2 * count)
    covariance = np.fft.irfft(transformed * np.conj(transformed))[:count]
    if covariance[0] <= 1e-12 * count:
        return 1.0
    correlation = covariance / covariance[0]
    pairs = correlation[: count - count % 2].reshape(-1, 2).sum(axis=1)
    ended = np.flatnonzero(pairs < 0)
    time = 2 * pairs[: ended[0] if len(ended) else None].sum() - 1
    return float(count / np.clip(time, 1, count))


def prediction_drift(probabilities: Floats, references: Mapping[str, Distribution]) -> dict[str, Index]:
    """Return the index of each class's probabilities ``(n, 3)``; none where there are too few rows."""
    count = len(probabilities)
    if count < LEAST_ROWS:
        return {}
    found = {}
    for column, name in enumerate(CLASSES):
        reference, values = references[name], probabilities[:, column]
        freedom = max(1, sum(share > 0 for share in reference.shares) - 1)
        rare = _chi_squared(1 - (1 - RARE) / len(CLASSES), freedom) / independent_rows(values)
        value = stability_index(reference.shares, np.array(shares(values, reference.edges)), count)
        found[name] = Index(float(value), max(SHIFTED, rare))
    return found


def _chi_squared(probability: float, freedom: int) -> float:
    """Return the quantile of a chi-squared distribution (Wilson and Hilferty 1931), to about a percent."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + NormalDist().inv_cdf(probability) * part**0.5) ** 3)


def realised_hits(
    outcomes: Labels, rows: Integers, signals: Integers, expected: Mapping[str, float | None]
) -> dict[str, Hits]:
    """Return what became of the buy and sell ``signals`` of the candles in ``rows``.

    ``outcomes`` are the labels that are known by now; a signal without one is left out.
    """
    place = np.searchsorted(outcomes.row, rows)
    known = place < len(outcomes)
    known[known] = outcomes.row[place[known]] == rows[known]
    return {
        name: _hits(_at(outcomes, place[known & (signals == CLASSES.index(name))]), CLASSES.index(name), rate)
        for name, rate in expected.items()
    }


def _at(labels: Labels, places: Integers) -> Labels:
    return Labels(labels.row[places], labels.label[places], labels.end[places])


def _hits(outcomes: Labels, side: int, expected: float | None) -> Hits:
    count, hits = len(outcomes), int((outcomes.label == side).sum())
    lowest = None
    if expected is not None and count >= LEAST_SIGNALS:
        own = float(uniqueness(outcomes).sum())
        lowest = max(0.0, expected - _WORST * float(np.sqrt(expected * (1 - expected) / own)))
    return Hits(count, hits, hits / count if count else None, expected, lowest)
