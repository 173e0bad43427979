"""The archive's CSV: with a header or not, in ms or us, parsed by the column.

A field that is missing or cannot be read becomes null beside the row's text, as by REST. A row that
cannot be a candle of the file (no open time, or one beside the file's own time) condemns the whole
file: its checksum is right, so that this is what was published, and nothing in it can be trusted.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from cryptobot.exchange.archive_files import ArchiveFile, Part, has_days
from cryptobot.exchange.candle_columns import WIRE, Ints, assemble, from_rows, readable_times
from cryptobot.exchange.errors import ArchiveFileBrokenError
from cryptobot.market.instant import to_ms
from cryptobot.market.kline import milliseconds

ARCHIVE = "archive"

_TYPES = {"time": pa.int64(), "integer": pa.int64(), "double": pa.float64()}
_CONVERT = arrow_csv.ConvertOptions(
    column_types={name: _TYPES[kind] for name, kind in WIRE.items()} | {"unused": pa.string()},
    include_columns=list(WIRE),
    null_values=[],
    check_utf8=False,
)


def read_candles(data: bytes, part: Part, now: datetime) -> pa.RecordBatch:
    """Return the candles of ``part`` in a file's CSV that have closed by ``now``, by open time.

    Raises :class:`ArchiveFileBrokenError` for what cannot be the file's content.
    """
    columns = _by_column(data)
    batch = _batch(columns, part.file) if columns else _by_row(data, part.file)
    wanted = pc.and_(_within(batch, part), _closed(batch, part, to_ms(now)))
    return batch if pc.all(wanted).as_py() else batch.filter(wanted)


def _by_column(data: bytes) -> dict[str, pa.Array] | None:
    """Return the file's columns; None where a field needs a closer look."""
    options = arrow_csv.ReadOptions(
        use_threads=False, column_names=[*WIRE, "unused"], skip_rows=0 if data[:1].isdigit() else 1
    )
    try:
        table = arrow_csv.read_csv(pa.BufferReader(data), options, convert_options=_CONVERT)
    except pa.ArrowInvalid:
        return None
    columns = {name: table.column(name).combine_chunks() for name in WIRE}
    for name, kind in WIRE.items():
        if kind == "double" and not pc.all(pc.is_finite(columns[name])).as_py():
            return None
        if kind == "time":
            columns[name] = readable_times(columns[name])
    return None if any(column.null_count for column in columns.values()) else columns


def _batch(columns: dict[str, pa.Array], file: ArchiveFile) -> pa.RecordBatch:
    opens = columns["open_time"].to_numpy()
    _require_in_time(opens, file)
    if (np.diff(opens) < 0).any():
        order = pa.array(np.argsort(opens, kind="stable"))
        columns = {name: column.take(order) for name, column in columns.items()}
    return assemble(file.symbol, file.interval, columns, ARCHIVE)


def _by_row(data: bytes, file: ArchiveFile) -> pa.RecordBatch:
    """Return what :func:`_batch` returns, of a file in which some field cannot be read."""
    lines = data.decode("utf-8", "replace").splitlines()
    rows: list[Sequence[int | str]] = []
    for number, fields in enumerate(csv.reader(lines), 1):
        if number == 1 and not lines[0][:1].isdigit():
            continue
        if not fields or not fields[0].isdecimal():
            raise ArchiveFileBrokenError(
                file.symbol, file.path, f"line {number} is no candle: {lines[number - 1]!r:.100}"
            )
        rows.append([milliseconds(int(fields[0])), *fields[1:]])
    rows.sort(key=lambda row: row[0])
    opens = np.array([row[0] for row in rows], np.int64)
    _require_in_time(opens, file)
    return from_rows(
        file.symbol, file.interval, rows, ARCHIVE, lambda row: ",".join(str(field) for field in row)
    )


def _require_in_time(opens: Ints, file: ArchiveFile) -> None:
    early = 0 if has_days(file.interval) else file.interval.milliseconds  # a week begins in a month before
    wrong = opens[(opens < to_ms(file.start) - early) | (opens >= to_ms(file.end))]
    if len(wrong):
        raise ArchiveFileBrokenError(
            file.symbol, file.path, f"it holds a candle that opens at {wrong[0]} ms, which is not in its time"
        )


def _within(batch: pa.RecordBatch, part: Part) -> pa.Array:
    opened = batch.column("open_time")
    return pc.and_(pc.greater_equal(opened, part.span.start), pc.less(opened, part.span.end))


def _closed(batch: pa.RecordBatch, part: Part, now_ms: int) -> pa.Array:
    """Return which candles have closed; the grid says so where the close time cannot be read."""
    interval = part.span.interval
    closes = pc.divide(batch.column("close_time").cast(pa.int64()), 1_000)
    if closes.null_count:
        opens = batch.column("open_time").cast(pa.int64()).to_pylist()
        grid = [interval.following(interval.floor(at // 1_000)) - 1 for at in opens]
        closes = pc.coalesce(closes, pa.array(grid, pa.int64()))
    return pc.less(closes, now_ms)
