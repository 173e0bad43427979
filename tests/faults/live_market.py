"""How busy the synthetic market is to be made so that it is as busy as wanted at this hour of this day."""

from __future__ import annotations

import time
from collections.abc import Sequence

from infra.exchange.bars import MINUTE_MS
from infra.exchange.options import Options
from infra.exchange.synthetic import SyntheticMarket

_SAMPLE = 6
"""So many symbols speak for all: their days are alike."""


def trades_setting(symbols: Sequence[str], trades_per_second: float, minutes: int) -> float:
    """Return the ``EXCHANGE_TRADES_PER_SECOND`` at which all symbols trade so much in the next minutes.

    The setting is of one symbol and the mean of all days and hours, of which some are far busier than others.
    """
    wanted, options = trades_per_second / len(symbols), Options()
    market = SyntheticMarket(
        symbols[:_SAMPLE],
        seed=options.seed,
        signal_strength=options.signal_strength,
        trades_per_second=wanted,
    )
    now_ms = time.time_ns() // 1_000_000
    end_ms = now_ms + minutes * MINUTE_MS
    coming = [market.finest(symbol, now_ms, end_ms).trades.mean() / 60 for symbol in symbols[:_SAMPLE]]
    return round(wanted * wanted * len(coming) / float(sum(coming)), 3)
