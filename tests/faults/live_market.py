"""How busy the synthetic market is to be made so that it is as busy as wanted at this hour of this day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.exchange.bars import MINUTE_MS
from infra.exchange.options import Options
from infra.exchange.synthetic import SyntheticMarket

_SAMPLE = 6
"""So many symbols speak for all: their days are alike."""
_CHOICE = 5
_BUSIER = 1.3


def trades_setting(symbols: Sequence[str], trades_per_second: float, minutes: int) -> float:
    """Return the ``EXCHANGE_TRADES_PER_SECOND`` at which all symbols trade so much in the next minutes.

    The setting is of one symbol and the mean of all days and hours, of which some are far busier than others.
    """
    wanted = trades_per_second / len(symbols)
    now_ms = time.time_ns() // 1_000_000
    coming = _a_second(symbols, wanted, now_ms, minutes).mean()
    return round(wanted * wanted / float(coming), 3)


@dataclass(frozen=True)
class Minute:
    """A minute of the market, by its begin in s since the epoch, and the setting at which it is so busy."""

    begins_at: float
    setting: float


def coming_minute(symbols: Sequence[str], trades_per_second: float, lead_s: float) -> Minute:
    """Return a minute that begins ``lead_s`` from now or soon after, and the setting for it.

    The minute before is not much busier, so that nothing of it is left to be worked off.
    """
    wanted = trades_per_second / len(symbols)
    first_ms = -(-round((time.time() + lead_s) * 1_000) // MINUTE_MS) * MINUTE_MS
    found = _a_second(symbols, wanted, first_ms - MINUTE_MS, _CHOICE + 1)
    calm = [place for place in range(1, len(found)) if found[place - 1] <= _BUSIER * found[place]]
    place = calm[0] if calm else int(found[1:].argmax()) + 1
    begins_ms = first_ms + (place - 1) * MINUTE_MS
    return Minute(begins_ms / 1_000, round(wanted * wanted / float(found[place]), 3))


def _a_second(symbols: Sequence[str], setting: float, start_ms: int, minutes: int) -> npt.NDArray[np.float64]:
    """Return each minute's trades a second of one symbol, at a setting, the mean of some symbols."""
    options = Options()
    market = SyntheticMarket(
        symbols[:_SAMPLE],
        seed=options.seed,
        signal_strength=options.signal_strength,
        trades_per_second=setting,
    )
    end_ms = start_ms + minutes * MINUTE_MS
    found = [market.finest(symbol, start_ms, end_ms).trades / 60 for symbol in symbols[:_SAMPLE]]
    return np.asarray(np.mean(found, axis=0))
