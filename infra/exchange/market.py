"""What a market is to the servers: instruments, days of the finest candles, and a tape in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from cryptobot.market import Interval
from infra.exchange.bars import Bars
from infra.exchange.instruments import Instrument


class Market(Protocol):
    """Candles by symbol and day, past and future alike; who asks decides what is over yet."""

    instruments: Mapping[str, Instrument]

    def first_open(self, symbol: str) -> int:
        """Return the open time, ms, of the symbol's first candle."""

    def day(self, symbol: str, day: int) -> Bars:
        """Return the finest candles that open on ``day``, counted from the epoch."""

    def rng(self, symbol: str, open_ms: int) -> np.random.Generator:
        """Return the generator of the trades in the finest candle that opens at ``open_ms``."""

    def end(self, symbol: str) -> int | None:
        """Return the ms at which the symbol's tape ends, or None when it never does."""

    def whole(self, symbol: str, interval: Interval) -> bool:
        """Tell whether candles of ``interval`` can be served for the symbol."""
