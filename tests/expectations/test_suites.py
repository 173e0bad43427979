"""Each thing that can be wrong with candles is caught, and is as grave as it should be."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest

from cryptobot.market import Interval, Span
from cryptobot.market.instant import to_ms
from cryptobot.storage.quality_inputs import Records
from expectations.baseline import Baseline
from expectations.frames import CANDLE_COLUMNS, frame_of, with_findings
from expectations.result import ExpectationOutcome, outcomes
from expectations.suites import CandleFacts, historical_suite
from expectations.validation import validate
from tests.expectations.candles import HOURS, START, documents, whole_span

NOW = datetime(2027, 1, 1)  # noqa: DTZ001 - frames hold naive UTC
LOST = "No candle is missing that the exchange has"
ABSENT = "The exchange itself has every candle of the range"


def check(
    frame: pd.DataFrame, span: Span, expected_rows: int | None = None, **facts: Any
) -> list[ExpectationOutcome]:
    """Return what fails on ``frame``."""
    suite = historical_suite("suite", span, CandleFacts(now=NOW, expected_rows=expected_rows, **facts))
    context = gx.get_context(mode="ephemeral")
    batch = context.data_sources.pandas_default.read_dataframe(with_findings(frame, span.interval))
    return [found for found in outcomes("asset", validate(batch, suite)) if not found.success]


def frame_with(**changes: Any) -> pd.DataFrame:
    """Return sound candles but for the fifth, which has ``changes``."""
    frame = frame_of(documents(), CANDLE_COLUMNS)
    for column in ("open_time", "close_time", "ingested_at"):
        frame[column] = frame[column].dt.tz_localize(None)
    for column, value in changes.items():
        frame.loc[4, column] = value
    return frame


def without(*hours: int) -> pd.DataFrame:
    return frame_with().drop(index=list(hours)).reset_index(drop=True)


def hour_ms(hour: int) -> int:
    return to_ms(START + timedelta(hours=hour))


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
        ({"taker_buy_quote": 10_000.5}, "quote_volume is never below taker_buy_quote"),
        ({"trades": -1}, "trades is never negative"),
        ({"close_time": NOW}, "Every candle had closed by the exchange's clock"),
        ({"symbol": "ETHUSDT"}, "The symbol is BTCUSDT"),
        ({"interval": "1m"}, "The interval is 1h"),
        ({"source": None}, "source is never absent"),
        ({"source": "guess"}, "The source is rest or archive"),
        ({"open": float("nan")}, "open is never absent"),
        ({"_id": documents()[5]["_id"]}, "Keys are unique"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_candle_is_critical_and_its_row_is_named(changes: dict[str, Any], caught: str) -> None:
    failed = {outcome.name: outcome for outcome in check(frame_with(**changes), whole_span())}
    assert failed[caught].severity == "critical"
    assert changes.get("_id", documents()[4]["_id"]) in failed[caught].rows


def test_a_field_too_many_is_critical() -> None:
    failed = check(frame_with().assign(note="?"), whole_span())
    assert [(found.name, found.severity) for found in failed] == [
        ("A candle has exactly the agreed fields", "critical")
    ]


def test_a_column_of_another_type_is_critical() -> None:
    failed = check(frame_with().astype({"trades": "float64"}), whole_span())
    assert [(found.name, found.severity) for found in failed] == [("trades is a whole number", "critical")]


def test_a_mean_price_beyond_the_candle_is_a_warning() -> None:
    failed = check(frame_with(quote_volume=2_000.0), whole_span())
    assert [(found.column, found.severity, found.rows) for found in failed] == [
        ("mean_price_beyond", "warning", [documents()[4]["_id"]])
    ]


class TestCompleteness:
    def test_an_unrecorded_hole_is_critical_and_listed(self) -> None:
        failed = {found.name: found for found in check(without(10, 11, 30), whole_span(), HOURS)}
        assert failed["Every candle that was read is stored: 48"].severity == "critical"
        assert failed["The range has every candle of the grid: 48"].severity == "warning"
        assert failed[LOST].severity == "critical"
        assert failed[LOST].observed == (
            "3 candles are missing in 2 holes: 2 from 2026-01-01 10:00; 1 from 2026-01-02 06:00"
        )
        assert failed[LOST].rows == [documents()[10]["_id"], documents()[30]["_id"]]
        assert ABSENT not in failed

    def test_a_hole_that_is_recorded_as_absent_at_the_source_is_a_warning(self) -> None:
        known = [(hour_ms(9), hour_ms(12)), (hour_ms(30), hour_ms(31))]
        failed = {found.name: found for found in check(without(10, 11, 30), whole_span(), 45, absent=known)}
        assert LOST not in failed
        assert {found.severity for found in failed.values()} == {"warning"}
        assert "2 from 2026-01-01 10:00" in failed[ABSENT].observed

    def test_of_a_hole_that_is_recorded_in_part_the_rest_is_critical(self) -> None:
        known = [(hour_ms(10), hour_ms(11))]
        failed = {found.name: found for found in check(without(10, 11), whole_span(), absent=known)}
        assert failed[LOST].observed == "1 candle is missing in 1 hole: 1 from 2026-01-01 11:00"
        assert failed[ABSENT].observed == "1 candle is missing in 1 hole: 1 from 2026-01-01 10:00"

    def test_holes_at_both_ends_are_seen(self) -> None:
        failed = {found.name: found for found in check(without(0, 46, 47), whole_span())}
        assert "1 from 2026-01-01 00:00; 2 from 2026-01-02 22:00" in failed[LOST].observed

    def test_more_candles_than_the_grid_can_hold_are_critical(self) -> None:
        span = Span("BTCUSDT", Interval.HOUR_1, START, START + timedelta(hours=HOURS - 1))
        failed = {found.name: found for found in check(frame_with(), span)}
        assert failed["There are no more candles than the range can hold: 47"].severity == "critical"

    def test_candles_beside_the_grid_are_allowed_for(self) -> None:
        extra = (
            frame_with()
            .iloc[[4]]
            .assign(_id="BTCUSDT|1h|x", open_time=START.replace(tzinfo=None) + timedelta(hours=4, minutes=7))
        )
        extra["marks"] = [["off_grid"]]
        frame = pd.concat([frame_with(), extra], ignore_index=True)
        failed = check(frame, whole_span(), HOURS + 1, off_grid_rows=1)
        assert {found.severity for found in failed} == {"warning"}
        assert "Candles open on the grid" in [found.name for found in failed]


class TestTimes:
    def test_a_candle_off_the_grid_is_a_warning(self) -> None:
        opened = START.replace(tzinfo=None) + timedelta(hours=4, minutes=7)
        failed = {found.name: found.severity for found in check(frame_with(open_time=opened), whole_span())}
        assert failed == {
            "Candles open on the grid": "warning",
            "Candles off the grid or shortened carry that mark": "warning",
        }

    def test_a_shortened_candle_is_a_warning(self) -> None:
        closed = START.replace(tzinfo=None) + timedelta(hours=4, minutes=30)
        frame = frame_with(close_time=closed)
        frame["marks"] = [["shortened"] if row == 4 else None for row in range(HOURS)]
        assert [found.name for found in check(frame, whole_span())] == ["Candles last their whole interval"]

    def test_a_range_up_to_now_without_its_newest_candles_is_stale(self) -> None:
        due = START.replace(tzinfo=None) + timedelta(hours=HOURS + 5)
        failed = check(frame_with(), whole_span(), newest_due=due)
        assert [(found.column, found.severity) for found in failed] == [("open_time", "warning")]


def test_a_range_unlike_the_weeks_before_is_a_warning() -> None:
    baseline = Baseline({"volume": (100.0, 200.0), "trades": (1.0, 50.0)})
    failed = check(frame_with(), whole_span(), baseline=baseline)
    assert [(found.column, found.severity, found.observed) for found in failed] == [
        ("volume", "warning", "10")
    ]


def test_quarantined_rows_warn_and_corrections_are_for_the_eye() -> None:
    kept = Records(30, [{"_id": f"BTCUSDT|1h|{n}", "reason": "high below low"} for n in range(20)])
    fixed = Records(1, [{"_id": "BTCUSDT|1h|1|a", "found_at": START}])
    failed = check(frame_with(), whole_span(), quarantined=kept, corrected=fixed)
    assert [(found.severity, found.observed, len(found.rows)) for found in failed] == [
        ("warning", "30 on record", 20),
        ("info", "1 on record", 1),
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
        quote_volume=frame["volume"] * frame["close"],
        taker_buy_base=0.0,
        taker_buy_quote=0.0,
        source="archive",
        ingested_at=NOW,
    )
    first, last = (
        moment.to_pydatetime().replace(tzinfo=START.tzinfo) for moment in (opened.min(), opened.max())
    )
    failed = {
        found.name: found
        for found in check(frame, Span(symbol, Interval.HOUR_1, first, last + timedelta(hours=1)))
    }
    twice = failed["One candle per open time"]
    assert twice.observed.startswith("10 of 4,314 rows")  # five, each of them twice
    assert len(set(twice.rows)) == 5
    assert failed[LOST].observed.startswith("12 candles are missing")
    assert failed[LOST].severity == twice.severity == "critical"
