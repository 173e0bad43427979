"""Risk aversion: how sure a model must be before a candle is called a buy or a sell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryptobot.learning.signal import Thresholds

ProfileName = Literal["conservative", "balanced", "aggressive"]

_NEVER = 0.95
"""No threshold is beyond this, so that a signal remains possible."""


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


PROFILES: dict[ProfileName, RiskProfile] = {
    "conservative": RiskProfile("conservative", 8.0),
    "balanced": RiskProfile("balanced", 4.0),
    "aggressive": RiskProfile("aggressive", 2.0),
}
