"""What the weeks before a range were like: bounds that its middle candle should keep within.

The test is robust and cheap: the median of the checked range must lie where all but the outermost
two per cent of the candles of the four weeks before lay, with as much room again on a scale of
logarithms, and twofold at least. A market that moves passes; a feed that sends other units, or
nothing, does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation
from pymongo.database import Database

from cryptobot.market.instant import EPOCH
from cryptobot.market.span import Span
from cryptobot.storage.database import Document
from cryptobot.storage.quality_inputs import figures_between
from expectations.terms import HISTORY, WARNING, expect

REACH = timedelta(weeks=4)
LEAST = 20
"""Candles before the range that say anything about it."""

MOST = 50_000
"""Candles before the range that are looked at: the newest."""

ROOM = 2.0
"""The least factor by which the bounds reach beyond what was seen."""

_FIELDS = ("volume", "trades", "high", "low", "close")
_NAMES = {"volume": "volume", "trades": "number of trades", "range_share": "range from low to high"}


@dataclass(frozen=True)
class Baseline:
    """Bounds by column, or why there are none."""

    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    reason: str | None = None

    def expectations(self) -> Iterator[Expectation]:
        """Yield one expectation a column."""
        for column, (low, high) in self.bounds.items():
            yield expect(
                gxe.ExpectColumnMedianToBeBetween,
                f"The middle candle's {_NAMES[column]} is like that of the four weeks before: "
                f"{low:,.6g} to {high:,.6g}",
                group=HISTORY,
                severity=WARNING,
                column=column,
                min_value=low,
                max_value=high,
            )


def baseline_of(database: Database[Document], span: Span) -> Baseline:
    """Return what the candles of the four weeks before ``span`` say of it."""
    if span.start <= EPOCH + REACH:
        return Baseline(reason="the range begins with the record: there are no weeks before it")
    before = Span(span.symbol, span.interval, span.start - REACH, span.start)
    frame = pd.DataFrame.from_records(
        list(figures_between(database, before, _FIELDS, MOST)), columns=list(_FIELDS)
    )
    if len(frame) < LEAST:
        return Baseline(
            reason=f"only {len(frame)} candles are stored of the four weeks before, {LEAST} are needed"
        )
    figures = frame.assign(range_share=(frame["high"] - frame["low"]) / frame["close"])
    return Baseline({column: bounds_of(figures[column].to_numpy(float)) for column in _NAMES})


def bounds_of(values: np.ndarray) -> tuple[float, float]:
    """Return the bounds that figures which are zero or above set for their median."""
    low, middle, high = np.quantile(values, (0.01, 0.5, 0.99))
    if middle <= 0:
        return 0.0, float(high)
    return float(low * min(1 / ROOM, low / middle)), float(high * max(ROOM, high / middle))
