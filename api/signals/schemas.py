"""Signals and alerts, as answered."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from cryptobot.decisions.decision import SignalName


class Probabilities(BaseModel):
    """Calibrated; their sum is 1."""

    sell: float = Field(examples=[0.22])
    hold: float = Field(examples=[0.33])
    buy: float = Field(examples=[0.45])


class Signal(BaseModel):
    """What a model said of a closed candle."""

    id: str = Field(examples=["BTCUSDT|15m|1767225600000|BTCUSDT-20260101T000000Z-0a1b2c3d"])
    symbol: str = Field(examples=["BTCUSDT"])
    interval: str = Field(examples=["15m"])
    open_time: datetime
    close_time: datetime
    close: float = Field(examples=[67_050.25], description="Price at which the candle closed")
    signal: SignalName
    probabilities: Probabilities
    confidence: float = Field(examples=[0.45], description="Probability of the signalled class")
    model_version: str = Field(examples=["BTCUSDT-20260101T000000Z-0a1b2c3d"])
    fit: bool = Field(description="False: the model did not beat the baselines; no opportunity is claimed")
    in_sample: bool = Field(False, description="True: the model was trained on this candle; hindsight")
    created_at: datetime
    source: str = Field(examples=["batch", "live"])
    profiles: dict[str, SignalName] | None = Field(
        None,
        description="The signal under each risk profile; of live signals",
        examples=[{"conservative": "hold", "balanced": "buy", "aggressive": "buy"}],
    )
    late: bool = Field(False, description="True: the candle was repaired after a newer one had closed")


class Alert(BaseModel):
    """What people are told; further fields depend on the kind."""

    model_config = ConfigDict(extra="allow")

    id: str
    kind: str = Field(examples=["opportunity", "pipeline"])
    severity: str = Field(examples=["info", "warning", "critical"])
    symbol: str | None
    title: str
    message: str
    created_at: datetime
    acknowledged_at: datetime | None


class Signals(BaseModel):
    """A page of signals, the newest candle first."""

    items: list[Signal]
    next_cursor: str | None = None


class Alerts(BaseModel):
    """A page of alerts, the newest first."""

    items: list[Alert]
    next_cursor: str | None = None
