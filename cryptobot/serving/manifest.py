"""The manifest of a model bundle: what the model is, what it was made from, how good it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cryptobot.learning.calibration import Calibration
from cryptobot.learning.reference import Reference
from cryptobot.learning.search import Search
from cryptobot.learning.signal import CLASSES, Thresholds

FORMAT = 2


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureSchema(_Part):
    """The rows that the model reads: features in order, one dtype."""

    version: str
    names: tuple[str, ...]
    dtype: str = "float32"


class Window(_Part):
    """Open times of the candles that the model was trained on, both inclusive."""

    start: AwareDatetime
    end: AwareDatetime


class GoldenRow(_Part):
    """A row of features with the probabilities that it must give."""

    features: tuple[float, ...]
    probabilities: tuple[float, ...]


class Member(_Part):
    """One ONNX model of the bundle; the one named as the manifest's ``algorithm`` is served."""

    algorithm: str
    sha256: str


class Manifest(_Part):
    """Everything about a bundle but the models' bytes. ``version`` and ``sha256`` are set on writing.

    ``sha256`` is that of the content: models and manifest without ``version`` and ``created_at``.
    The same data and seed give the same one. ``created_at`` is the instant that the model was made
    as of, so that making it again changes nothing; when it was stored, the registry knows.

    ``search`` tells, by algorithm, the parameters that the model was fitted with and how many
    sets were tried; ``trials`` among how many models it was picked; ``seed`` what was drawn with.
    """

    format: int = FORMAT
    version: str = ""
    sha256: str = ""
    symbol: str
    other_symbol: str | None
    interval: str
    algorithm: str
    created_at: AwareDatetime
    feature_set: FeatureSchema
    classes: tuple[str, ...] = CLASSES
    window: Window
    libraries: dict[str, str]
    metrics: dict[str, Any]
    calibration: Calibration
    thresholds: Thresholds
    reference: Reference
    search: dict[str, Search]
    trials: int = Field(ge=1)
    seed: int
    fit: bool
    reasons: tuple[str, ...]
    golden_rows: tuple[GoldenRow, ...] = Field(min_length=1)
    members: tuple[Member, ...] = ()

    def expires_at(self, max_age: timedelta) -> datetime:
        """Return the end of the model's use: so long after the newest candle that it was trained on.

        The same in a replay of the past as live, because both times are the market's.
        """
        return self.window.end + max_age

    def document(self) -> dict[str, Any]:
        """Return the manifest as a document for MongoDB (dates stay dates)."""
        document: dict[str, Any] = _plain(self.model_dump())
        return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def version_of(symbol: str, created_at: datetime, sha256: str) -> str:
    """Return the version's name: symbol, time of making, and the first of the content's hash."""
    return f"{symbol}-{created_at:%Y%m%dT%H%M%SZ}-{sha256[:8]}"
