"""Collections as DataFrames of bounded size, with the columns that checks need beside the stored ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pandas as pd
from pymongo.database import Database

from cryptobot.market.instant import from_ms
from cryptobot.market.span import Span
from cryptobot.storage import candles
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import find_gaps

_BATCH = 20_000

KEY_COLUMNS = ("_id", "symbol", "interval")
TIME_COLUMNS = ("open_time", "close_time", "ingested_at")
PRICE_COLUMNS = ("open", "high", "low", "close")
VOLUME_COLUMNS = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
CANDLE_COLUMNS = (*KEY_COLUMNS, *TIME_COLUMNS, *PRICE_COLUMNS, *VOLUME_COLUMNS, "trades", "source")


def candle_frame(database: Database[Document], span: Span) -> pd.DataFrame:
    """Return the span's candles in order, with ``off_grid`` and ``missing_before`` beside them.

    Times are UTC without a zone. ``missing_before`` counts the candles that the grid has between a
    candle and the one before it (or the span's start).
    """
    frame = frame_of(candles.documents(database, span), CANDLE_COLUMNS)
    for column in TIME_COLUMNS:
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.tz_localize(None)
    return with_grid(frame, span)


def with_grid(frame: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return ``frame`` with what its open times say of the grid of ``span``."""
    interval = span.interval
    open_ms = (frame["open_time"] - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
    slots = [interval.floor(opened) for opened in open_ms]
    missing = {
        gap.end_ms: interval.candles_between(gap.start_ms, gap.end_ms)
        for gap in find_gaps(span, map(from_ms, slots))
    }
    return frame.assign(
        off_grid=[opened != slot for opened, slot in zip(open_ms, slots, strict=True)],
        missing_before=[missing.get(slot, 0) for slot in slots],
    )


def frame_of(documents: Iterable[Document], columns: Iterable[str]) -> pd.DataFrame:
    """Return ``documents`` as a frame; only a batch of them is in memory as documents at a time.

    A field beyond ``columns`` becomes a column as well, so that the check of columns sees it.
    """
    named = list(columns)
    parts = [pd.DataFrame.from_records(batch) for batch in _batches(documents)]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=named)
    return frame


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    rest = iter(documents)
    while batch := list(islice(rest, _BATCH)):
        yield batch
