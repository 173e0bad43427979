"""Drift, as answered."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.models.schemas import VERSION


class Stability(BaseModel):
    """A population stability index; above its limit it tells of a shift."""

    index: float = Field(examples=[0.12], description="0: distributed as in the reference")
    limit: float = Field(examples=[0.25], description="0.25, or more where more is usual")


class Feature(Stability):
    """A feature of the window against that of the training."""

    name: str = Field(examples=["realised_96"])


class Predictions(BaseModel):
    """The window's probabilities against those out of sample, by class."""

    rows: int
    classes: dict[str, Stability]


class Hits(BaseModel):
    """How often signals of one side turned out so, since the model was trained."""

    signals: int = Field(description="Whose outcome was known by the day's end")
    hits: int
    rate: float | None
    expected: float | None = Field(description="Out of sample, when the model was made")
    lowest: float | None = Field(description="Below this it is no chance; null with too few signals")
    fallen: bool


class DriftDay(BaseModel):
    """A day of a model: the window of candles that ends with it."""

    day: datetime
    start: datetime = Field(description="Open time of the window's first candle")
    end: datetime = Field(description="When its last candle closed")
    rows: int
    in_sample: bool = Field(description="The model was trained on all of it: shown, never judged")
    drifted: bool
    reasons: list[str]
    features: list[Feature] = Field(description="Those furthest beyond their limits first")
    features_share: float = Field(description="Of features beyond their limits")
    features_share_limit: float = Field(description="Above this the market has drifted")
    predictions: Predictions | None = Field(description="null while there are too few")
    hits: dict[str, Hits]
    measured_at: datetime


class Drift(BaseModel):
    """The last days of a model, in rising order."""

    symbol: str = Field(examples=["BTCUSDT"])
    version: str = Field(examples=[VERSION])
    items: list[DriftDay]
