"""What a market is to the servers: its instruments, its candles, and the seeds of its trades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from cryptobot.market import Interval
from infra.exchange.bars import Bars
from infra.exchange.instruments import Instrument


class Market(Protocol):
    """Candles of the past and the future alike; who asks decides what is over yet."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What is traded, by symbol."""

    def first_open(self, symbol: str) -> int:
        """Return the open time, ms, of the symbol's first candle."""

    def end(self, symbol: str) -> int | None:
        """Return the ms at which the symbol's record ends, or None when it never does."""

    def serves(self, symbol: str, interval: Interval) -> bool:
        """Tell whether the symbol has candles of ``interval``."""

    def finest(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finest candles that open in ``[start_ms, end_ms)``: those that trades make up."""

    def candles(self, symbol: str, interval: Interval, start_ms: int, end_ms: int, zone_ms: int = 0) -> Bars:
        """Return the whole candles of a minute or more that open in ``[start_ms, end_ms)``.

        ``zone_ms`` is the offset of the time zone whose days the candles follow.
        """

    def rng(self, symbol: str, open_ms: int) -> np.random.Generator:
        """Return the generator of the trades in the finest candle that opens at ``open_ms``."""

    def opened_by(self, symbol: str, number: int, *, aggregate: bool) -> int:
        """Return the open time, ms, of the finest candle that holds trade (or aggregate) ``number``.

        A number before the first is in the first candle; one that a finite record does not
        reach is at its end.
        """
