"""Risk aversion: how sure a model must be before a signal is given, and how much is put on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cryptobot.learning.signal import Thresholds

Floats = npt.NDArray[np.float64]
ProfileName = Literal["conservative", "balanced", "aggressive"]

_NEVER = 0.95
"""No threshold is beyond this, so that a signal remains possible."""
STOP_RANGES = 2.0
"""A stop stands so many average true ranges from the close (Wilder, 1978): beyond the market's own noise."""
_WHOLE_AT = 2.0
"""The aversion of the one who may put the whole of the capital on a signal, and no more."""


@dataclass(frozen=True, slots=True)
class RiskProfile:
    """A user's risk aversion ``gamma``: that of a mean-variance investor, 4 when balanced."""

    name: ProfileName
    gamma: float

    def thresholds(self, trained: Thresholds) -> Thresholds:
        """Return the model's thresholds as this profile wants them.

        The balanced profile takes those that the model was evaluated with. They scale with the
        fourth root of gamma: half or twice the aversion moves 0.40 to 0.34 or 0.48.
        """
        factor = (self.gamma / PROFILES["balanced"].gamma) ** 0.25
        return Thresholds(buy=min(_NEVER, trained.buy * factor), sell=min(_NEVER, trained.sell * factor))

    @property
    def most(self) -> float:
        """The share of the capital that no position exceeds: 0.25, 0.5 and 1 for the three profiles."""
        return min(1.0, _WHOLE_AT / self.gamma)

    def size(self, edge: Floats, variance: Floats) -> Floats:
        """Return the share of the capital to hold, in ``[0, most]``.

        ``edge / (gamma * variance)`` is what a mean-variance investor holds (Merton, 1969); over the
        short horizons of signals it is often beyond :attr:`most`, which then decides.

        Parameters
        ----------
        edge, variance
            Expected return, and variance of the return, over the signal's horizon.
        """
        return np.asarray(np.clip(edge / (self.gamma * variance), 0.0, self.most))


def expected(width: float, variance: Floats, likelier: Floats) -> Floats:
    """Return a signal's expected return: its barriers' distance times how much likelier a buy is than a sell.

    Parameters
    ----------
    width
        Distance of the label's barriers, in deviations over the signal's horizon.
    variance
        Of the return over that horizon.
    likelier
        Probability of a buy less that of a sell.
    """
    return np.asarray(width * np.sqrt(variance) * likelier)


PROFILES: dict[ProfileName, RiskProfile] = {
    "conservative": RiskProfile("conservative", 8.0),
    "balanced": RiskProfile("balanced", 4.0),
    "aggressive": RiskProfile("aggressive", 2.0),
}
