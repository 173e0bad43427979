"""The check against look-ahead: features computed anew from candles up to their own are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from pymongo.database import Database

from cryptobot.features import FEATURE_SET, compute, other_symbol, reach_ms
from cryptobot.features.computation import CANDLE_COLUMNS
from cryptobot.market.instant import EPOCH, MILLISECOND, from_ms, to_ms
from cryptobot.market.span import Span
from cryptobot.storage import candles
from cryptobot.storage.database import Document

SAMPLE = 8
"""Candles of a range whose features are computed anew: spread over it, the last among them."""

_TOLERANCE = 1e-6


def look_ahead(
    database: Database[Document], span: Span, stored: pd.DataFrame, symbols: Sequence[str]
) -> pd.Series:
    """Return what differs of each sampled row of ``stored``, in words; absent where nothing does."""
    found = pd.Series([None] * len(stored), dtype="object", index=stored.index)
    if len(stored):
        for row in np.unique(np.linspace(0, len(stored) - 1, SAMPLE).astype(int)):
            found.iloc[row] = _difference(database, span, stored.iloc[row], symbols)
    return found


def _difference(
    database: Database[Document], span: Span, stored: pd.Series, symbols: Sequence[str]
) -> str | None:
    opened = stored["open_time"].to_pydatetime().replace(tzinfo=EPOCH.tzinfo)
    start_ms = max(0, to_ms(opened) - reach_ms(span.interval))
    past = replace(span, start=from_ms(start_ms), end=opened + MILLISECOND)
    own = _candles(database, past)
    if not len(own) or own["open_time"].iloc[-1] != opened:
        return "its candle is not in historical_data"
    other = other_symbol(span.symbol, symbols)
    beside = _candles(database, replace(past, symbol=other)) if other else None
    known = compute(own, beside, span.interval).iloc[-1].to_numpy()
    kept = stored[list(FEATURE_SET.names)].to_numpy(dtype=np.float64)
    wrong = ~np.isclose(known, kept, rtol=_TOLERANCE, atol=1e-9, equal_nan=True)
    if not wrong.any():
        return None
    at = int(np.argmax(wrong))
    more = f", and {wrong.sum() - 1} more" if wrong.sum() > 1 else ""
    return f"{FEATURE_SET.names[at]} is {kept[at]:.6g}, at its close it was {known[at]:.6g}{more}"


def _candles(database: Database[Document], span: Span) -> pd.DataFrame:
    columns = ["open_time", *CANDLE_COLUMNS]
    rows = [[document[name] for name in columns] for document in candles.documents(database, span)]
    return pd.DataFrame(rows, columns=columns).astype({"open_time": "datetime64[ns, UTC]"})
