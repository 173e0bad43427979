"""The replay: the record as it is, and shifted to run up to now."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, MINUTE_MS
from infra.exchange.options import OptionError
from infra.exchange.replay import ReplayMarket

NOW_MS = 1_790_000_123_456
FOREVER = (0, 4 * 10**12)


def recorded_rows(folder: Path, symbol: str, interval: str) -> list[list[str]]:
    rows = []
    for path in sorted(folder.glob(f"{symbol}-{interval}-*.csv")):
        rows += [row for row in csv.reader(path.read_text().splitlines()) if row[0].isdigit()]
    return rows


@pytest.mark.parametrize(("symbol", "interval"), [("BTCUSDT", "1m"), ("ETHUSDT", "1m"), ("BTCUSDT", "1h")])
def test_rest_serves_every_field_of_the_record(
    replay: httpx.Client, shared_data: Path, symbol: str, interval: str
) -> None:
    recorded = recorded_rows(shared_data / "klines", symbol, interval)
    served: list[list[object]] = []
    start = 0
    query = {"symbol": symbol, "interval": interval, "limit": 1000}
    while rows := replay.get("/api/v3/klines", params={**query, "startTime": start}).json():
        served += rows
        start = rows[-1][0] + 1
    if interval == "1h":
        served = [row for row in served if int(str(row[0])) < 1_700_000_000_000]
    assert len(served) == len(recorded)
    for row, line in zip(served, recorded, strict=True):
        scale = 1_000 if len(line[0]) == 16 else 1
        assert (row[0], row[6]) == (int(line[0]) // scale, int(line[6]) // scale)
        assert row[8] == int(line[8])
        for field in (1, 2, 3, 4, 5, 7, 9, 10):
            assert float(str(row[field])) == float(line[field])


@pytest.fixture(scope="module")
def market(shared_data: Path) -> ReplayMarket:
    return ReplayMarket(shared_data / "klines")


@pytest.fixture(scope="module")
def shifted(shared_data: Path) -> ReplayMarket:
    return ReplayMarket(shared_data / "klines", NOW_MS)


def test_candles_that_were_recorded_in_part_are_left_out(market: ReplayMarket) -> None:
    days = market.candles("ETHUSDT", Interval.DAY_1, *FOREVER)
    assert days.open_ms.tolist() == [1_761_782_400_000, 1_761_868_800_000]
    hours = market.candles("ETHUSDT", Interval.HOUR_1, *FOREVER)
    assert hours.open_ms[0] == 1_761_714_000_000
    assert hours.open_ms[-1] == 1_761_966_000_000


def test_a_halt_is_within_a_day_that_is_served(market: ReplayMarket) -> None:
    halted = 1_679_616_000_000
    hours = market.candles("BTCUSDT", Interval.HOUR_1, halted, halted + DAY_MS)
    assert 22 <= len(hours) <= 24
    day = market.candles("BTCUSDT", Interval.DAY_1, halted, halted + 1)
    assert day.volume[0] == hours.volume.sum()


def test_only_what_can_be_made_is_served(market: ReplayMarket) -> None:
    assert not market.serves("BTCUSDT", Interval.SECOND_1)
    assert market.serves("ETHUSDT", Interval.MONTH_1)


def test_the_shifted_record_runs_through_now_and_on(market: ReplayMarket, shifted: ReplayMarket) -> None:
    assert market.end("BTCUSDT") is not None
    assert shifted.end("BTCUSDT") is None
    shift = shifted.first_open("BTCUSDT") - market.first_open("BTCUSDT")
    assert shift % DAY_MS == 0
    minute = NOW_MS - NOW_MS % MINUTE_MS
    around = shifted.finest("BTCUSDT", minute - DAY_MS // 2, minute + 3 * DAY_MS)
    assert np.diff(around.open_ms).tolist() == [MINUTE_MS] * (len(around) - 1)
    assert len(around) == 3.5 * 1_440
    np.testing.assert_array_equal(around.first_trade[1:], around.first_trade[:-1] + around.trades[:-1])
    np.testing.assert_array_equal(around.first_agg[1:], around.first_agg[:-1] + around.aggs[:-1])
    original = market.finest("BTCUSDT", minute - shift, minute - shift + 1)
    assert shifted.finest("BTCUSDT", minute, minute + 1).close == original.close


def test_a_trade_is_found_by_its_id_in_any_lap(shifted: ReplayMarket) -> None:
    later = shifted.finest("ETHUSDT", NOW_MS + 5 * DAY_MS, NOW_MS + 5 * DAY_MS + 5 * MINUTE_MS)
    for row in range(len(later)):
        last = int(later.first_trade[row] + later.trades[row]) - 1
        assert shifted.opened_by("ETHUSDT", last, aggregate=False) == later.open_ms[row]
        assert shifted.opened_by("ETHUSDT", int(later.first_agg[row]), aggregate=True) == later.open_ms[row]


def test_zips_and_later_files_are_read(tmp_path: Path) -> None:
    row = "1700000040000,1.5,2,1,1.25,10,1700000099999,15.0,3,4,6.0,0\n"
    with zipfile.ZipFile(tmp_path / "ABCUSDT-1m-2023-11-14.zip", "w") as packed:
        packed.writestr("ABCUSDT-1m-2023-11-14.csv", row)
    (tmp_path / "ABCUSDT-1m-2023-11.csv").write_text("open_time,open\n" + row.replace(",10,", ",11,"))
    (tmp_path / "notes.csv").write_text("not a candle")
    market = ReplayMarket(tmp_path)
    bars = market.finest("ABCUSDT", *FOREVER)
    assert (len(bars), bars.volume[0], market.instruments["ABCUSDT"].price_decimals) == (1, 11, 2)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("other.csv", "", "holds no candles"),
        ("ABCUSDT-1m-2023-11.csv", "1,2,3\n", "line 1 is not a candle"),
        ("ABCUSDT-1m-2023-11.csv", "1,2,x,1,2,1,2,1,1,1,1,0\n", "line 1 is not a candle"),
        ("ABCUSDT-1m-2023-11.csv", "1,2,2,2,2,1,2,2,9,1,2,0\n", "contradicts itself"),
        ("ABCUSDT-1m-2023-11.zip", "no zip", "cannot be read"),
    ],
)
def test_a_record_that_cannot_be_replayed_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(OptionError, match=said):
        ReplayMarket(tmp_path)
