"""Tickers as the live streams carry them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptobot.market.instant import from_ms


@dataclass(frozen=True, slots=True)
class Ticker:
    """The rolling 24 hours of a symbol, from ``<symbol>@miniTicker``."""

    symbol: str
    event_time: datetime
    close: float
    open: float
    high: float
    low: float
    volume: float
    quote_volume: float

    @classmethod
    def from_stream(cls, event: dict[str, Any]) -> Ticker:
        """Read a ``<symbol>@miniTicker`` event."""
        return cls(
            symbol=event["s"],
            event_time=from_ms(int(event["E"])),
            close=float(event["c"]),
            open=float(event["o"]),
            high=float(event["h"]),
            low=float(event["l"]),
            volume=float(event["v"]),
            quote_volume=float(event["q"]),
        )
