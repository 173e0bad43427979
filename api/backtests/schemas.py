"""Backtests, as answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.models.schemas import VERSION, Window


class Curves(BaseModel):
    """Capital of one over time, net of fees and slippage; columns of equal length."""

    open_time: list[datetime] = Field(description="Of the candle whose signal was followed")
    strategy: list[float]
    buy_and_hold: list[float]


class Backtest(BaseModel):
    """A model's results out of sample; further fields are those of the record."""

    model_config = ConfigDict(extra="allow")

    version: str = Field(examples=[VERSION])
    symbol: str = Field(examples=["BTCUSDT"])
    interval: str = Field(examples=["15m"])
    algorithm: str = Field(examples=["random_forest"])
    fit: bool
    reasons: list[str] = Field(description="Each condition of the gate, with its figures")
    window: Window
    metrics: dict[str, Any]
    curves: Curves | None = None
    created_at: datetime = Field(description="Up to when the model knows the market")


class Backtests(BaseModel):
    """A page of backtests, the newest first."""

    items: list[Backtest]
    next_cursor: str | None = None
