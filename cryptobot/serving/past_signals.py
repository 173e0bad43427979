"""What a model said of candles that it was not trained on, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
from pymongo.database import Database

from cryptobot.features.grid import open_times_ms
from cryptobot.learning import drift
from cryptobot.learning.labels import Barriers, Labels, triple_barrier
from cryptobot.learning.reference import Reference
from cryptobot.learning.signal import CLASSES
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.storage import candles
from cryptobot.storage.database import Document
from cryptobot.storage.signals import signals_after

_END = datetime(9999, 1, 1, tzinfo=UTC)
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class PastSignals:
    """A model's signals in time order, with the labels of the candles since.

    ``row`` is each signal's row among the candles whose ``outcomes`` these are, -1 where its candle is
    not stored; ``known_ms`` is when each outcome was known.
    """

    open_ms: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    signal: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    outcomes: Labels
    known_ms: npt.NDArray[np.int64]

    def predictions(self, reference: Reference, first: datetime, until: datetime) -> Document | None:
        """Return the drift of what was predicted of the candles in ``[first, until)``; None of too few."""
        within = (self.open_ms >= to_ms(first)) & (self.open_ms < to_ms(until))
        indices = drift.prediction_drift(self.probabilities[within], reference.predictions)
        if not indices:
            return None
        classes = {name: {"index": each.value, "limit": each.limit} for name, each in indices.items()}
        return {"rows": int(within.sum()), "classes": classes}

    def hits(self, reference: Reference, until: datetime) -> dict[str, drift.Hits]:
        """Return how often buy and sell signals turned out so, of those whose outcome was known by then."""
        known = self.known_ms < to_ms(until)
        outcomes = Labels(self.outcomes.row[known], self.outcomes.label[known], self.outcomes.end[known])
        return drift.realised_hits(outcomes, self.row, self.signal, reference.hit_rate)


def past_signals(
    database: Database[Document], symbol: str, version: str, interval: Interval, after: datetime
) -> PastSignals:
    """Return what ``version`` said of the candles after ``after``, the end of its training."""
    signals = signals_after(database, symbol, version, after)
    if not signals:
        return PastSignals(_NONE, np.empty((0, 3)), _NONE, _NONE, Labels(_NONE, _NONE, _NONE), _NONE)
    barriers = Barriers()
    open_ms = np.array([to_ms(each["open_time"]) for each in signals])
    reach = interval.milliseconds * (barriers.volatility_span + 1)
    span = Span(symbol, interval, from_ms(max(0, int(open_ms[0]) - reach)), _END)
    stored = pd.DataFrame(
        list(candles.documents(database, span)), columns=["open_time", "close_time", "close", "high", "low"]
    )
    outcomes = triple_barrier(stored, interval, barriers)
    stored_ms = open_times_ms(stored)
    return PastSignals(
        open_ms=open_ms,
        probabilities=np.array([[each["probabilities"][name] for name in CLASSES] for each in signals]),
        signal=np.array([CLASSES.index(each["signal"]) for each in signals]),
        row=pd.Index(stored_ms).get_indexer(pd.Index(open_ms)).astype(np.int64),
        outcomes=outcomes,
        known_ms=np.array([to_ms(at.to_pydatetime()) for at in stored["close_time"]], dtype=np.int64)[
            outcomes.end
        ],
    )
