"""Candles as the wire carries them, and the rule for a closed one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.market import Interval, Kline
from cryptobot.market.instant import from_ms, parse_instant, to_ms
from cryptobot.market.kline import is_closed

ROW = [
    1761711720000, "112731.29", "112749.73", "112730.4", "112749.72", "4.75297", 1761711779999,
    "535846.83867820", 1459, "1.90045000", "214244.39643660", "0",
]  # fmt: skip


def test_a_rest_row_becomes_a_candle_with_every_field() -> None:
    kline = Kline.from_rest("BTCUSDT", Interval.MINUTE_1, ROW)
    assert kline == Kline(
        "BTCUSDT", Interval.MINUTE_1,
        datetime(2025, 10, 29, 4, 22, tzinfo=UTC),
        datetime(2025, 10, 29, 4, 22, 59, 999_000, tzinfo=UTC),
        112731.29, 112749.73, 112730.4, 112749.72, 4.75297, 535846.8386782, 1459, 1.90045, 214244.3964366,
    )  # fmt: skip
    assert kline.key == "BTCUSDT|1m|1761711720000"


def test_the_archives_microseconds_are_the_same_candle(shared_data: Path) -> None:
    archived = (shared_data / "klines" / "BTCUSDT-1m-2025-10-29.csv").read_text().splitlines()[0].split(",")
    assert Kline.from_rest("BTCUSDT", Interval.MINUTE_1, archived) == Kline.from_rest(
        "BTCUSDT", Interval.MINUTE_1, ROW
    )


def test_the_stream_and_rest_agree_on_a_candle() -> None:
    fields = dict(zip("tohlcvTqnVQ", ROW, strict=False))
    k = {**fields, "s": "BTCUSDT", "i": "1m", "x": True}
    assert Kline.from_stream(k) == Kline.from_rest("BTCUSDT", Interval.MINUTE_1, ROW)


@pytest.mark.parametrize(("now_ms", "closed"), [(1761711779999, False), (1761711780000, True)])
def test_a_candle_is_closed_a_millisecond_after_its_close_time(now_ms: int, closed: bool) -> None:
    assert is_closed(ROW, now_ms) is closed


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_milliseconds_survive_the_round_trip(at_ms: int) -> None:
    assert to_ms(from_ms(at_ms)) == at_ms
    assert to_ms(parse_instant(from_ms(at_ms).isoformat())) == at_ms


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_ms(datetime(2025, 1, 1))  # noqa: DTZ001
