"""How busy the synthetic market is to be made so that it is as busy as wanted at this hour of this day."""

from __future__ import annotations

import time
from collections.abc import Sequence

from infra.exchange.bars import MINUTE_MS
from infra.exchange.options import Options
from infra.exchange.synthetic import SyntheticMarket

_AHEAD_MS = 6 * MINUTE_MS
_SAMPLE = 6
"""So many symbols speak for all: their days are alike."""


def trades_setting(symbols: Sequence[str], trades_per_second: float) -> float:
    """Return the ``EXCHANGE_TRADES_PER_SECOND`` at which all symbols together trade so much now.

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
    minutes = [market.finest(symbol, now_ms, now_ms + _AHEAD_MS).trades for symbol in symbols[:_SAMPLE]]
    coming = sum(float(trades.mean()) for trades in minutes) / len(minutes) / 60
    return round(wanted * wanted / coming, 3)
