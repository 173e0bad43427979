"""Collections as DataFrames of bounded size, with the columns that checks need beside the stored ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pymongo.database import Database

from cryptobot.market.instant import from_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.storage import candles
from cryptobot.storage.batches import batched
from cryptobot.storage.database import Document

_BATCH = 20_000

KEY_COLUMNS = ("_id", "symbol", "interval")
TIME_COLUMNS = ("open_time", "close_time", "ingested_at")
PRICE_COLUMNS = ("open", "high", "low", "close")
VOLUME_COLUMNS = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
CANDLE_COLUMNS = (*KEY_COLUMNS, *TIME_COLUMNS, *PRICE_COLUMNS, *VOLUME_COLUMNS, "trades", "source")
"""The fixed fields of a candle; ``marks`` may come beside them."""

MARKS = "marks"
FINDING_COLUMNS = ("off_grid", "shortened", "wrong_marks", "mean_price_beyond", "range_share")
"""Columns that are derived for the checks:

``off_grid``, ``shortened``, ``wrong_marks``
    what is particular about a candle, in words; absent where nothing is.
``mean_price_beyond``
    how far the mean price (quote volume over volume) lies beyond high or low, as a share of the close.
``range_share``
    high less low as a share of the close.
"""


def candle_frame(database: Database[Document], span: Span) -> pd.DataFrame:
    """Return the span's candles in order, with :data:`FINDING_COLUMNS` beside them; times are naive UTC."""
    frame = frame_of(candles.documents(database, span), CANDLE_COLUMNS)
    if frame.empty:  # no value says what the columns hold
        frame = frame.astype(
            {**dict.fromkeys((*PRICE_COLUMNS, *VOLUME_COLUMNS), "float64"), "trades": "int64"}
        )
    for column in TIME_COLUMNS:
        frame[column] = naive(frame[column])
    return with_findings(frame, span.interval)


def with_findings(frame: pd.DataFrame, interval: Interval) -> pd.DataFrame:
    """Return ``frame`` with :data:`FINDING_COLUMNS`, and ``marks`` as text."""
    opened, closed = _milliseconds(frame["open_time"]), _milliseconds(frame["close_time"])
    slots = grid_slots(opened, interval)
    ends = _ends(slots, interval)
    off_grid = opened != slots
    shortened = closed < ends - 1
    stored = frame[MARKS] if MARKS in frame else pd.Series([None] * len(frame), dtype="object")
    marks = [", ".join(sorted(mark)) if isinstance(mark, list) else None for mark in stored]
    due = [
        ", ".join(["off_grid"] * bool(off) + ["shortened"] * bool(short)) or None
        for off, short in zip(off_grid, shortened, strict=True)
    ]
    close, volume = frame["close"].to_numpy(float), frame["volume"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = frame["quote_volume"].to_numpy(float) / np.where(volume > 0, volume, np.nan)
        beyond = np.maximum(frame["low"].to_numpy(float) - mean, mean - frame["high"].to_numpy(float)) / close
        range_share = (frame["high"].to_numpy(float) - frame["low"].to_numpy(float)) / close
    return frame.assign(
        marks=_words(marks),
        off_grid=_words(
            f"opens {from_ms(int(at)):%H:%M:%S}" if off else None
            for at, off in zip(opened, off_grid, strict=True)
        ),
        shortened=_words(
            f"ends {from_ms(int(at)):%H:%M:%S}" if short else None
            for at, short in zip(closed, shortened, strict=True)
        ),
        wrong_marks=_words(
            None if mark == wanted else f"marked {mark or 'nothing'}, is {wanted or 'regular'}"
            for mark, wanted in zip(marks, due, strict=True)
        ),
        mean_price_beyond=np.maximum(beyond, 0.0),
        range_share=range_share,
    )


def grid_slots(open_ms: np.ndarray, interval: Interval) -> np.ndarray:
    """Return the open time on the grid, in ms, of the candle that holds each of ``open_ms``."""
    if interval is Interval.MONTH_1:
        return np.array([interval.floor(int(at)) for at in open_ms], dtype=np.int64)
    offset = interval.floor(0) % interval.milliseconds
    return np.asarray(open_ms - (open_ms - offset) % interval.milliseconds)


def frame_of(documents: Iterable[Document], columns: Iterable[str]) -> pd.DataFrame:
    """Return ``documents`` as a frame; only a batch of them is in memory as documents at a time.

    A field beyond ``columns`` becomes a column as well, so that the check of columns sees it.
    """
    parts = [pd.DataFrame.from_records(batch) for batch in batched(documents, _BATCH)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def naive(times: pd.Series) -> pd.Series:
    """Return times as naive UTC, as the checks compare them."""
    return pd.to_datetime(times, utc=True).dt.tz_localize(None)


def _ends(slots: np.ndarray, interval: Interval) -> np.ndarray:
    if interval is Interval.MONTH_1:
        return np.array([interval.following(int(at)) for at in slots], dtype=np.int64)
    return slots + interval.milliseconds


def _milliseconds(times: pd.Series) -> np.ndarray:
    return times.to_numpy(dtype="datetime64[ms]").astype(np.int64)


def _words(values: Iterable[str | None]) -> pd.Series:
    return pd.Series(list(values), dtype="object")
