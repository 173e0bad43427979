"""Symbols, candles and tickers, as answered."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from cryptobot.market import Interval


class Symbol(BaseModel):
    """A pair that is watched."""

    symbol: str = Field(examples=["BTCUSDT"])
    intervals: list[str] = Field(examples=[["1m", "15m", "1h", "1d"]])
    signal_interval: str = Field(examples=["15m"], description="Signals are given for these candles")
    base_asset: str | None = Field(examples=["BTC"], description="null until exchange_info was read")
    quote_asset: str | None = Field(examples=["USDT"])
    status: str | None = Field(examples=["TRADING"])


class Candle(BaseModel):
    """A closed candle. Prices in the quote asset; it is known once ``close_time`` has passed."""

    symbol: str = Field(examples=["BTCUSDT"])
    interval: Interval = Field(examples=["15m"])
    open_time: datetime
    close_time: datetime
    open: float = Field(examples=[67_000.5])
    high: float = Field(examples=[67_100.0])
    low: float = Field(examples=[66_900.0])
    close: float = Field(examples=[67_050.25])
    volume: float = Field(examples=[12.5], description="In the base asset")
    quote_volume: float = Field(examples=[837_843.1], description="In the quote asset")
    trades: int = Field(examples=[1_204])
    taker_buy_base: float = Field(examples=[6.2])
    taker_buy_quote: float = Field(examples=[415_711.2])


class Ticker(BaseModel):
    """The last price and the rolling 24 hours of a pair."""

    symbol: str = Field(examples=["BTCUSDT"])
    price: float = Field(examples=[67_050.25])
    change_24h_pct: float | None = Field(examples=[1.42])
    high: float
    low: float
    volume: float = Field(description="In the base asset")
    quote_volume: float = Field(description="In the quote asset")
    event_time: datetime
    received_at: datetime


class Symbols(BaseModel):
    """All pairs that are watched."""

    items: list[Symbol]
    next_cursor: str | None = None


class Candles(BaseModel):
    """A page of candles, in rising order."""

    items: list[Candle]
    next_cursor: str | None = None


class Tickers(BaseModel):
    """The latest tickers."""

    items: list[Ticker]
    next_cursor: str | None = None
