"""The decision on a candle: what a model's probabilities say of a candle, under a risk profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cryptobot.learning.risk import PROFILES, ProfileName, RiskProfile
from cryptobot.learning.signal import CLASSES, signals
from cryptobot.serving.bundle import Bundle

SignalName = Literal["sell", "hold", "buy"]
BALANCED = PROFILES["balanced"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The signal of one candle, with the probabilities behind it.

    ``confidence`` is the calibrated probability of the signalled class.
    """

    signal: str
    probabilities: dict[str, float]
    confidence: float

    def document(self) -> dict[str, Any]:
        """Return the decision as part of a document or an answer."""
        return {
            "signal": self.signal,
            "probabilities": self.probabilities,
            "confidence": self.confidence,
        }


def decide(bundle: Bundle, rows: npt.NDArray[np.floating], profile: RiskProfile = BALANCED) -> list[Decision]:
    """Return the decision for each row of features ``(n, features)``, in the manifest's order.

    Raises ``ValueError`` where a feature is missing.
    """
    probabilities = bundle.predict(rows)
    called = signals(probabilities, profile.thresholds(bundle.manifest.thresholds))
    return [_decision(index, row) for index, row in zip(called, probabilities, strict=True)]


def decide_every_way(
    bundle: Bundle, row: npt.NDArray[np.floating]
) -> tuple[Decision, dict[ProfileName, str]]:
    """Return the balanced decision for one row ``(1, features)``, and the signal under each risk profile.

    The row is scored once. Raises ``ValueError`` where a feature is missing.
    """
    probabilities = bundle.predict(row)
    called = {
        name: int(signals(probabilities, profile.thresholds(bundle.manifest.thresholds))[0])
        for name, profile in PROFILES.items()
    }
    decision = _decision(called["balanced"], probabilities[0])
    return decision, {name: CLASSES[index] for name, index in called.items()}


def _decision(index: int, probabilities: npt.NDArray[np.floating]) -> Decision:
    return Decision(
        signal=CLASSES[index],
        probabilities=dict(zip(CLASSES, map(float, probabilities), strict=True)),
        confidence=float(probabilities[index]),
    )
