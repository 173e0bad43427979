"""Repository of ``features``: the feature set's values, one document a candle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from cryptobot.features.feature_set import FeatureSet
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.storage.collections import FEATURES
from cryptobot.storage.database import Document


def count(database: Database[Document], span: Span, version: str) -> int:
    """Return how many candles of the span have features of ``version``."""
    return database[FEATURES].count_documents(_within(span, version))


def known_until(
    database: Database[Document], symbols: Iterable[str], interval: Interval, version: str
) -> datetime | None:
    """Return the end of the newest candle that has features, of any of ``symbols``; None without any."""
    newest = [
        document["open_time"]
        for symbol in symbols
        if (
            document := database[FEATURES].find_one(
                {"symbol": symbol, "interval": interval.value, "version": version},
                {"open_time": 1},
                sort=[("open_time", DESCENDING)],
            )
        )
    ]
    return from_ms(interval.following(to_ms(max(newest)))) if newest else None


def load(database: Database[Document], span: Span, feature_set: FeatureSet) -> pd.DataFrame:
    """Return the span's features: ``open_time`` (aware UTC) and a float64 column each, nulls as NaN."""
    fields = {"_id": 0, "open_time": 1, **{f"values.{name}": 1 for name in feature_set.names}}
    cursor = database[FEATURES].find(_within(span, feature_set.version), fields, batch_size=10_000)
    documents = list(cursor.sort("open_time", ASCENDING))
    values = _matrix([document["values"] for document in documents], feature_set.names)
    times = pd.DatetimeIndex([document["open_time"] for document in documents], dtype="datetime64[ns, UTC]")
    frame = pd.DataFrame(values, columns=list(feature_set.names))
    frame.insert(0, "open_time", times)
    return frame


def _matrix(rows: Sequence[dict[str, float | None]], names: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64).reshape(-1, len(names))


def _within(span: Span, version: str) -> Document:
    return {
        "symbol": span.symbol,
        "interval": span.interval.value,
        "open_time": {"$gte": span.start, "$lt": span.end},
        "version": version,
    }
