"""Models and predictions, as asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.signals.schemas import Probabilities
from cryptobot.decisions.decision import SignalName
from cryptobot.learning.risk import ProfileName

VERSION = "BTCUSDT-20260101T000000Z-0a1b2c3d"


class Window(BaseModel):
    """Open times of the candles that a model was trained on, both inclusive."""

    start: datetime
    end: datetime


class Model(BaseModel):
    """A trained model; further fields are those of its manifest."""

    model_config = ConfigDict(extra="allow")

    version: str = Field(examples=[VERSION])
    symbol: str = Field(examples=["BTCUSDT"])
    interval: str = Field(examples=["15m"])
    algorithm: str = Field(examples=["random_forest"])
    state: str = Field(examples=["challenger", "champion", "superseded", "quarantined"])
    fit: bool
    feature_set: str = Field(examples=["v1"])
    window: Window
    metrics: dict[str, Any] = Field(examples=[{"log_loss": 1.05}], description="Out of sample")
    created_at: datetime
    verdict: Verdict | None = None
    comparison: Comparison | None = None
    history: list[Event] = []


class Verdict(BaseModel):
    """What was decided of a model when it challenged the champion."""

    promoted: bool
    reason: str = Field(examples=["better out of sample: skill +0.0200 against the champion's +0.0100"])
    by: str | None = Field(None, description="The person who decided, where one did")
    at: datetime


class Event(BaseModel):
    """Something that happened to a model in the registry."""

    at: datetime
    event: str = Field(examples=["promoted", "superseded", "rolled back", "returned to"])
    reason: str


class Comparison(BaseModel):
    """A challenger beside the champion of its time, on candles that neither had learned from."""

    model_config = ConfigDict(extra="allow")

    champion: str = Field(examples=[VERSION])
    rows: int
    log_loss: dict[str, float] = Field(description="Of `challenger`, `champion` and `base_rates`")
    gain: float = Field(description="Of the challenger's log loss over the champion's")
    error: float = Field(description="Standard error of the gain")


class Models(BaseModel):
    """A page of models, the newest first."""

    items: list[Model]
    next_cursor: str | None = None


class Champion(BaseModel):
    """The model that serves a symbol."""

    symbol: str = Field(examples=["BTCUSDT"])
    version: str = Field(examples=[VERSION])
    previous: str | None = Field(description="What a roll-back would return to")
    promoted_at: datetime
    reason: str
    fit: bool
    interval: str = Field(examples=["15m"])
    algorithm: str = Field(examples=["random_forest"])
    metrics: dict[str, Any] = Field(examples=[{"log_loss": 1.05}])
    feature_set: str = Field(examples=["v1"])
    window: Window
    comparison: Comparison | None = None
    history: list[Event] = []


Version = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Promotion(BaseModel):
    """An order to make a version the champion, whatever the gate says."""

    model_config = ConfigDict(extra="forbid")

    version: Version = Field(examples=[VERSION])
    reason: Reason = Field(examples=["compared by hand"], description="Kept with the models")


class RollBack(BaseModel):
    """An order to return to the model that served before the champion."""

    model_config = ConfigDict(extra="forbid")

    symbol: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(examples=["BTCUSDT"])
    reason: Reason = Field(examples=["it earns nothing"], description="Kept with the models")
    version: Version | None = Field(
        None, examples=[VERSION], description="The champion that you mean; 409 where another serves"
    )


class Pointer(BaseModel):
    """Which version is a symbol's champion from now on."""

    symbol: str = Field(examples=["BTCUSDT"])
    version: str = Field(examples=[VERSION])
    previous: str | None = Field(description="What a roll-back would return to")
    promoted_at: datetime
    reason: str
    fit: bool


class PredictionRequest(BaseModel):
    """A symbol, whose last closed candle is scored; or rows of features for its model."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"symbol": "BTCUSDT", "profile": "balanced"}]}
    )

    symbol: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(examples=["BTCUSDT"])
    profile: ProfileName = Field("balanced", description="Risk aversion, which moves the thresholds")
    rows: list[dict[str, float]] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Features by name, all of the champion's feature set in each row",
    )


class Decided(BaseModel):
    """A signal and what it rests on."""

    signal: SignalName
    probabilities: Probabilities
    confidence: float = Field(examples=[0.45], description="Probability of the signalled class")


class _Answer(BaseModel):
    symbol: str = Field(examples=["BTCUSDT"])
    interval: str = Field(examples=["15m"])
    model_version: str = Field(examples=[VERSION])
    fit: bool = Field(description="False: the model did not beat the baselines")
    algorithm: str = Field(examples=["random_forest"])


class Prediction(_Answer, Decided):
    """The signal of the last closed candle."""

    open_time: datetime
    close_time: datetime


class RowPredictions(_Answer):
    """The signals of the rows that were sent, in their order, all by one model version."""

    items: list[Decided]
