"""Which market a run is about, and the interval that a record allows signals on."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cryptobot.market.interval import Interval
from infra.local.errors import LocalRunError
from infra.local.market import choose, signal_interval

ALL = [Interval.MINUTE_1, Interval.MINUTE_15, Interval.HOUR_1, Interval.DAY_1]


def record(folder: Path, symbol: str, interval: Interval, candles: int, *, header: bool = False) -> None:
    rows = [f"{number * interval.milliseconds},1,1,1,1,1" for number in range(candles)]
    text = "\n".join([*(["open_time,open"] if header else []), *rows])
    (folder / f"{symbol}-{interval}-2025-01.csv").write_text(text)


def test_without_a_wish_the_market_is_synthetic() -> None:
    market = choose({})
    assert market.name == "synthetic"
    assert market.environment == {"EXCHANGE": "offline", "REPLAY_DIR": ""}


def test_binance_is_a_market_of_its_own() -> None:
    assert choose({"EXCHANGE": "binance"}).name == "binance"


def test_the_shared_record_is_replayed_whole_with_signals_a_minute(shared_data: Path) -> None:
    market = choose({"REPLAY_DIR": str(shared_data / "klines")})
    assert market.environment["CRYPTOBOT_SIGNAL_INTERVAL"] == "1m"
    assert market.environment["CRYPTOBOT_HISTORY_DAYS"] == "all"
    assert market.environment["CRYPTOBOT_HISTORY_DAYS_1M"] == "all"
    assert market.environment["REPLAY_DIR"] == str((shared_data / "klines").resolve())


def test_a_record_is_one_market_from_wherever_it_is_named(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absolute = choose({"REPLAY_DIR": str(shared_data / "klines")})
    monkeypatch.chdir(shared_data)
    assert choose({"REPLAY_DIR": "klines"}).name == absolute.name
    assert choose({"REPLAY_DIR": "klines", "REPLAY_SHIFT": "1"}).name != absolute.name


@pytest.mark.parametrize(
    ("btc_minutes", "eth_minutes", "expected"),
    [
        (2_000, 2_000, Interval.MINUTE_1),
        (30_000, 30_000, Interval.MINUTE_15),
        (30_000, 29_999, Interval.MINUTE_1),
        (120_000, 120_000, Interval.HOUR_1),
    ],
)
def test_finer_candles_count_for_the_coarser_ones_they_make_up(
    tmp_path: Path, btc_minutes: int, eth_minutes: int, expected: Interval
) -> None:
    record(tmp_path, "BTCUSDT", Interval.MINUTE_1, btc_minutes)
    record(tmp_path, "ETHUSDT", Interval.MINUTE_1, eth_minutes, header=True)
    assert signal_interval(tmp_path, ["BTCUSDT", "ETHUSDT"], ALL) == expected


def test_zipped_files_count_too(tmp_path: Path) -> None:
    record(tmp_path, "BTCUSDT", Interval.HOUR_1, 2_000)
    plain = tmp_path / "BTCUSDT-1h-2025-01.csv"
    with zipfile.ZipFile(plain.with_suffix(".zip"), "w") as archive:
        archive.write(plain, plain.name)
    plain.unlink()
    assert signal_interval(tmp_path, ["BTCUSDT"], ALL) == Interval.HOUR_1


def test_a_chosen_signal_interval_stands(shared_data: Path) -> None:
    market = choose({"REPLAY_DIR": str(shared_data / "klines"), "CRYPTOBOT_SIGNAL_INTERVAL": "15m"})
    assert market.environment["CRYPTOBOT_SIGNAL_INTERVAL"] == "15m"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"EXCHANGE": "kraken"}, "EXCHANGE is 'kraken'"),
        ({"EXCHANGE": "binance", "REPLAY_DIR": "."}, "unset one of the two"),
        ({"REPLAY_DIR": "/nowhere"}, "/nowhere, which is no folder"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(environment: dict[str, str], message: str) -> None:
    with pytest.raises(LocalRunError, match=message) as raised:
        choose(environment)
    assert "\n" not in str(raised.value)


def test_a_folder_without_candles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(LocalRunError, match="holds no candle files"):
        choose({"REPLAY_DIR": str(tmp_path)})


def test_a_record_without_a_configured_pair_is_refused(tmp_path: Path) -> None:
    record(tmp_path, "BTCUSDT", Interval.MINUTE_1, 2_000)
    with pytest.raises(LocalRunError, match="no candles of ETHUSDT"):
        choose({"REPLAY_DIR": str(tmp_path)})


def test_a_record_too_short_for_any_interval_is_refused(tmp_path: Path) -> None:
    record(tmp_path, "BTCUSDT", Interval.MINUTE_1, 1_999)
    with pytest.raises(LocalRunError, match="in none of the intervals"):
        choose({"REPLAY_DIR": str(tmp_path), "CRYPTOBOT_SYMBOLS": "BTCUSDT"})
