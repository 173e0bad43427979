"""Each thing that can be wrong with candles is caught, and is as grave as it should be."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest

from cryptobot.market import Interval, Span
from expectations.frames import CANDLE_COLUMNS, frame_of, with_grid
from expectations.result import ExpectationOutcome, outcomes
from expectations.suites import historical_suite
from tests.expectations.candles import HOURS, START, documents, whole_span

NOW = datetime(2027, 1, 1)  # noqa: DTZ001 - frames hold naive UTC


def check(frame: pd.DataFrame, span: Span, expected_rows: int | None = None) -> list[ExpectationOutcome]:
    """Return what fails on ``frame``."""
    grid_rows = span.interval.candles_between(span.start_ms, span.end_ms)
    suite = historical_suite(
        "suite", span.symbol, span.interval, now=NOW, grid_rows=grid_rows, expected_rows=expected_rows
    )
    context = gx.get_context(mode="ephemeral")
    batch = context.data_sources.pandas_default.read_dataframe(with_grid(frame, span))
    return [found for found in outcomes("asset", batch.validate(suite)) if not found.success]


def frame_with(**changes: Any) -> pd.DataFrame:
    """Return sound candles but for the fifth, which has ``changes``."""
    frame = frame_of(documents(), CANDLE_COLUMNS)
    for column in ("open_time", "close_time", "ingested_at"):
        frame[column] = frame[column].dt.tz_localize(None)
    for column, value in changes.items():
        frame.loc[4, column] = value
    return frame


def test_sound_candles_pass() -> None:
    assert check(frame_with(), whole_span(), HOURS) == []


@pytest.mark.parametrize(
    ("changes", "caught"),
    [
        ({"high": 50.0}, "high is never below low"),
        ({"low": 105.5}, "close is never below low"),
        ({"open": 300.0}, "high is never below open"),
        ({"close": 0.0, "low": 0.0}, "close is above zero"),
        ({"volume": -1.0, "taker_buy_base": -1.0}, "volume is never negative"),
        ({"taker_buy_base": 10.5}, "volume is never below taker_buy_base"),
        ({"taker_buy_quote": 1_000.5}, "quote_volume is never below taker_buy_quote"),
        ({"trades": -1}, "trades is never negative"),
        ({"close_time": NOW}, "Every candle had closed by the exchange's clock"),
        ({"symbol": "ETHUSDT"}, "The symbol is BTCUSDT"),
        ({"interval": "1m"}, "The interval is 1h"),
        ({"source": None}, "source is never absent"),
        ({"open": float("nan")}, "open is never absent"),
        ({"_id": documents()[5]["_id"]}, "Keys are unique"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_candle_is_critical(changes: dict[str, Any], caught: str) -> None:
    failed = check(frame_with(**changes), whole_span())
    assert caught in [outcome.name for outcome in failed]
    assert {outcome.severity for outcome in failed} == {"critical"}


def test_a_field_too_many_is_critical() -> None:
    failed = check(frame_with().assign(note="?"), whole_span())
    assert [(found.name, found.severity) for found in failed] == [
        ("A candle has exactly the agreed fields", "critical")
    ]


def test_candles_lost_after_reading_are_critical_and_a_hole_is_a_warning() -> None:
    holed = frame_with().drop(index=[10, 11]).reset_index(drop=True)
    failed = {found.name: found for found in check(holed, whole_span(), HOURS)}
    assert failed["Every candle that was read is stored: 48"].severity == "critical"
    assert failed["The range has every candle of the grid (warning): 48"].severity == "warning"
    gap = failed["No candle of the grid is missing (warning)"]
    assert gap.severity == "warning"
    assert "2 from 2026-01-01 10:00" in gap.observed


def test_a_candle_off_the_grid_is_a_warning() -> None:
    opened = START.replace(tzinfo=None) + timedelta(hours=4, minutes=7)
    failed = check(frame_with(open_time=opened), whole_span())
    assert [(found.name, found.severity) for found in failed] == [
        ("Candles open on the grid (warning)", "warning")
    ]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_the_recorded_dirty_data_is_caught(shared_data: Path, symbol: str) -> None:
    names = ["time", "open", "close", "low", "high", "volume", "trades"]
    frame = pd.read_csv(shared_data / "dirty" / f"{symbol}-1h-2020-11_2021-05.csv", names=names)
    opened = pd.to_datetime(frame.pop("time"), unit="s")
    frame = frame.assign(
        _id=f"{symbol}|1h|" + (opened.astype("int64") // 10**6).astype(str),
        symbol=symbol,
        interval="1h",
        open_time=opened,
        close_time=opened + pd.Timedelta(hours=1, milliseconds=-1),
        quote_volume=0.0,
        taker_buy_base=0.0,
        taker_buy_quote=0.0,
        source="archive",
        ingested_at=NOW,
    )
    first, last = (
        moment.to_pydatetime().replace(tzinfo=START.tzinfo) for moment in (opened.min(), opened.max())
    )
    failed = {
        found.name: found.observed
        for found in check(frame, Span(symbol, Interval.HOUR_1, first, last + timedelta(hours=1)))
    }
    assert failed["One candle per open time"].startswith("10 of 4314 rows")  # five, each of them twice
    missing = with_grid(frame, Span(symbol, Interval.HOUR_1, first, last + timedelta(hours=1)))["gap_before"]
    assert sum(int(gap.split()[0]) for gap in missing.dropna()) == 12
    assert "No candle of the grid is missing (warning)" in failed
