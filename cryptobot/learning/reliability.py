"""Reliability: whether what is given 40 % happens in 40 of 100 cases.

DeGroot, Fienberg (1983); the error by class after Kull, Perello-Nieto, Kängsepp, Silva Filho,
Song, Flach (2019), *Beyond temperature scaling*.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from cryptobot.learning.signal import CLASSES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The ``rows`` whose probability of a class lies in ``[low, high)``.

    ``predicted`` is their mean probability, and ``observed`` the share that turned out so.
    """

    low: float
    high: float
    rows: int
    predicted: float
    observed: float

    def document(self) -> dict[str, float | int]:
        """Return the fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Reliability:
    """The bins of each class that hold rows, and how far the classes' bins are off on average.

    ``by_chance`` is how far those of a perfectly calibrated model would be, of as few rows.
    """

    bins: dict[str, tuple[Bin, ...]]
    error: float
    by_chance: float


def reliability(probabilities: Floats, labels: Integers, uniqueness: Floats) -> Reliability:
    """Return the reliability of ``probabilities`` ``(n, 3)`` in :data:`BINS` bins of equal width.

    ``uniqueness`` is that of each label: labels that overlap tell the same story, so that chance
    plays with as many as are unique.
    """
    bins: dict[str, tuple[Bin, ...]] = {}
    errors, chances = [], []
    for index, name in enumerate(CLASSES):
        predicted, happened = probabilities[:, index], (labels == index).astype(np.float64)
        place = np.minimum((predicted * BINS).astype(np.int64), BINS - 1)
        rows = np.bincount(place, minlength=BINS)
        held = rows > 0
        mean, share, own = (
            np.bincount(place, values, minlength=BINS)[held] / rows[held]
            for values in (predicted, happened, uniqueness)
        )
        weight = rows[held] / rows.sum()
        independent = np.maximum(own * rows[held], 1.0)
        errors.append(float(weight @ np.abs(mean - share)))
        chances.append(float(weight @ np.sqrt(2 / np.pi * mean * (1 - mean) / independent)))
        bins[name] = tuple(
            Bin(k / BINS, (k + 1) / BINS, int(rows[k]), float(mean[at]), float(share[at]))
            for at, k in enumerate(held.nonzero()[0])
        )
    return Reliability(bins, float(np.mean(errors)), float(np.mean(chances)))
