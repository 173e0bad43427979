"""Candles as columns: every field as on the wire, and what cannot be read beside its text."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cryptobot.exchange.candle_columns import SCHEMA, from_rows
from cryptobot.market import Interval, Kline
from cryptobot.market.instant import from_ms

OPEN_MS = 1_767_225_600_000


def row(open_ms: int = OPEN_MS, **changed: Any) -> list[Any]:
    fields = {
        "open_time": open_ms, "open": "1", "high": "2", "low": "0.5", "close": "1.5", "volume": "10",
        "close_time": open_ms + 59_999, "quote": "15", "trades": 3, "taker": "4", "taker_quote": "6",
        "unused": "0",
    }  # fmt: skip
    return list({**fields, **changed}.values())


def columns(*rows: list[Any]) -> pa.RecordBatch:
    return from_rows("BTCUSDT", Interval.MINUTE_1, rows, "rest", json.dumps)


def test_every_field_is_that_of_the_candle(shared_data: Path) -> None:
    with (shared_data / "klines" / "BTCUSDT-1h-2023-01.csv").open() as file:
        lines = list(csv.reader(file))[1:]
    rows = [[int(line[0]), *line[1:6], int(line[6]), line[7], int(line[8]), *line[9:]] for line in lines]
    batch = from_rows("BTCUSDT", Interval.HOUR_1, rows, "rest", json.dumps)
    klines = [Kline.from_rest("BTCUSDT", Interval.HOUR_1, fields) for fields in rows]
    assert batch.num_rows == len(rows)
    for name in set(SCHEMA.names) - {"source", "repeat", "raw"}:
        assert batch.column(name).to_pylist() == [getattr(kline, name) for kline in klines]
    assert set(batch.column("source").to_pylist()) == {"rest"}
    assert batch.column("raw").null_count == batch.num_rows


def test_the_types_do_not_depend_on_the_values() -> None:
    assert columns(row(open="1", volume="0", trades=0)).schema.equals(SCHEMA)


@pytest.mark.parametrize(
    ("field", "value", "column"),
    [
        ("open", "", "open"),
        ("open", "1,5", "open"),
        ("high", "NaN", "high"),
        ("high", "inf", "high"),
        ("low", "1_0", "low"),
        ("close", None, "close"),
        ("volume", True, "volume"),
        ("quote", [1], "quote_volume"),
        ("trades", "three", "trades"),
        ("trades", 2.5, "trades"),
        ("trades", 2**70, "trades"),
        ("close_time", None, "close_time"),
        ("close_time", 10**18, "close_time"),
        ("close_time", -1, "close_time"),
    ],
)
def test_an_unreadable_field_is_null_beside_the_rows_text(field: str, value: Any, column: str) -> None:
    broken = row(OPEN_MS + 60_000, **{field: value})
    batch = columns(row(), broken, row(OPEN_MS + 120_000))
    assert batch.column(column).is_null().to_pylist() == [False, True, False]
    assert batch.column("raw").to_pylist() == [None, json.dumps(broken), None]
    others = set(SCHEMA.names) - {column, "raw"}
    assert all(batch.column(name).null_count == 0 for name in others)


@pytest.mark.parametrize(("field", "value", "column"), [("open", 1.25, "open"), ("trades", "7", "trades")])
def test_a_number_may_be_text_or_not(field: str, value: Any, column: str) -> None:
    batch = columns(row(**{field: value}))
    assert batch.column(column).to_pylist() == [float(value)]
    assert batch.column("raw").null_count == 1


def test_repetitions_are_numbered() -> None:
    opens = [0, 1, 1, 2, 2, 2, 3]
    batch = columns(*(row(OPEN_MS + at * 60_000) for at in opens))
    assert batch.column("repeat").to_pylist() == [0, 0, 1, 0, 1, 2, 0]


def test_microseconds_of_the_archive_become_the_same_instants() -> None:
    batch = columns(row(OPEN_MS * 1_000, close_time=(OPEN_MS + 60_000) * 1_000 - 1))
    assert batch.column("open_time").to_pylist() == [datetime(2026, 1, 1, tzinfo=UTC)]
    assert batch.column("close_time").to_pylist() == [from_ms(OPEN_MS + 59_999)]
