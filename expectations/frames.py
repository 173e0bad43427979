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
GRID_COLUMNS = ("gap_before", "off_grid")


def candle_frame(database: Database[Document], span: Span) -> pd.DataFrame:
    """Return the span's candles in order, with :data:`GRID_COLUMNS` beside them; times are naive UTC."""
    frame = frame_of(candles.documents(database, span), CANDLE_COLUMNS)
    for column in TIME_COLUMNS:
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.tz_localize(None)
    return with_grid(frame, span)


def with_grid(frame: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return ``frame`` with what its open times say of the grid of ``span``.

    ``gap_before`` names the candles that the grid has between a candle and the one before it (or the
    span's start), ``off_grid`` a candle that opens beside the grid; both are absent where all is well.
    """
    interval = span.interval
    open_ms = (frame["open_time"] - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
    slots = [interval.floor(opened) for opened in open_ms]
    gaps = {
        gap.end_ms: f"{interval.candles_between(gap.start_ms, gap.end_ms)} from {gap.start:%Y-%m-%d %H:%M}"
        for gap in find_gaps(span, map(from_ms, slots))
    }
    off_grid = [
        None if opened == slot else f"{from_ms(opened):%Y-%m-%d %H:%M:%S}"
        for opened, slot in zip(open_ms, slots, strict=True)
    ]
    return frame.assign(
        gap_before=pd.Series([gaps.pop(slot, None) for slot in slots], dtype="object"),
        off_grid=pd.Series(off_grid, dtype="object"),
    )


def frame_of(documents: Iterable[Document], columns: Iterable[str]) -> pd.DataFrame:
    """Return ``documents`` as a frame; only a batch of them is in memory as documents at a time.

    A field beyond ``columns`` becomes a column as well, so that the check of columns sees it.
    """
    parts = [pd.DataFrame.from_records(batch) for batch in _batches(documents)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    rest = iter(documents)
    while batch := list(islice(rest, _BATCH)):
        yield batch
