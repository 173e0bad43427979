from __future__ import annotations

from typing import Any

import pytest

from dashboard.parts import chart


def candle(open_time: str, *prices_and_volume: float) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume")
    return {"open_time": open_time, **dict(zip(names, prices_and_volume, strict=True))}


CANDLES = [
    candle("2026-01-01T00:00:00Z", 10.0, 12.0, 9.0, 11.0, 5.0),
    candle("2026-01-01T00:15:00Z", 11.0, 11.5, 8.0, 9.0, 7.0),
]
BARS = [chart.bar(candle) for candle in CANDLES]
FIRST, SECOND = BARS[0]["time"], BARS[1]["time"]


def signal(kind: str, close_time: str, *, fit: bool = True) -> dict[str, Any]:
    return {"signal": kind, "close_time": close_time, "fit": fit}


def test_bars_stand_at_the_open_time_in_seconds() -> None:
    assert SECOND - FIRST == 900
    assert BARS[0] == {"time": 1_767_225_600, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}


def test_volume_is_tinted_by_direction() -> None:
    rising, falling = (chart.volume_bar(candle) for candle in CANDLES)
    assert (rising["value"], falling["value"]) == (5.0, 7.0)
    assert rising["color"] != falling["color"]


class TestMarkers:
    def test_a_signal_stands_at_the_candle_that_it_closes(self) -> None:
        arrows = chart.markers(
            [signal("buy", "2026-01-01T00:14:59.999Z"), signal("sell", "2026-01-01T00:29:59.999Z")],
            BARS,
            "15m",
        )
        assert [(a["time"], a["shape"], a["text"]) for a in arrows] == [
            (FIRST, "arrowUp", "B"),
            (SECOND, "arrowDown", "S"),
        ]

    def test_on_a_finer_chart_it_stands_where_it_became_known(self) -> None:
        minutes = [{"time": FIRST + 60 * index, "close": 1.0} for index in range(20)]
        (arrow,) = chart.markers([signal("buy", "2026-01-01T00:14:59.999Z")], minutes, "1m")
        assert arrow["time"] == FIRST + 14 * 60

    def test_holds_and_signals_outside_the_chart_are_left_out(self) -> None:
        told = [signal("hold", "2026-01-01T00:14:59.999Z"), signal("buy", "2025-12-31T23:59:59.999Z")]
        assert chart.markers(told, BARS, "15m") == []
        assert chart.markers(told, [], "15m") == []

    def test_the_newest_signal_of_a_bar_stands(self) -> None:
        told = [signal("sell", "2026-01-01T00:29:59.999Z"), signal("buy", "2026-01-01T00:14:59.999Z")]
        (arrow,) = chart.markers(told, [{"time": FIRST, "close": 1.0}], "1h")
        assert arrow["text"] == "S"

    def test_only_a_turn_of_the_signal_is_marked(self) -> None:
        told = [signal("buy", "2026-01-01T00:29:59.999Z"), signal("buy", "2026-01-01T00:14:59.999Z")]
        assert [arrow["time"] for arrow in chart.markers(told, BARS, "15m")] == [FIRST]

    def test_hindsight_is_small_and_has_no_letter(self) -> None:
        told = {**signal("sell", "2026-01-01T00:14:59.999Z"), "in_sample": True}
        (arrow,) = chart.markers([told], BARS, "15m")
        assert (arrow["text"], arrow["size"]) == ("", 0.5)

    def test_a_model_that_is_not_fit_has_grey_arrows(self) -> None:
        at = "2026-01-01T00:14:59.999Z"
        (fit,) = chart.markers([signal("buy", at)], BARS, "15m")
        (unfit,) = chart.markers([signal("buy", at, fit=False)], BARS, "15m")
        assert fit["color"] == chart.UP != unfit["color"]


class TestOpenBar:
    def test_it_opens_on_the_grid(self) -> None:
        assert chart.open_time("2026-01-01T00:31:12Z", "15m") == SECOND + 900

    def test_it_is_made_of_the_finer_candles_within_it(self) -> None:
        assert chart.begun_bar(FIRST, CANDLES, BARS[-1]) == {
            "time": FIRST,
            "open": 10.0,
            "high": 12.0,
            "low": 8.0,
            "close": 9.0,
        }

    def test_without_any_it_begins_at_the_last_close(self) -> None:
        bar = chart.begun_bar(SECOND + 900, [], BARS[-1])
        assert bar == {"time": SECOND + 900, "open": 9.0, "high": 9.0, "low": 9.0, "close": 9.0}

    def test_it_takes_in_every_price(self) -> None:
        bar = chart.begun_bar(SECOND + 900, [], BARS[-1])
        for price in (10.0, 8.5):
            bar = chart.moved_bar(bar, price)
        assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (9.0, 10.0, 8.5, 8.5)

    @pytest.mark.parametrize(
        ("interval", "finer"), [("1d", "15m"), ("1h", "1m"), ("15m", "1m"), ("1m", None)]
    )
    def test_it_is_made_of_the_finest_candles_that_are_not_too_many(
        self, interval: str, finer: str | None
    ) -> None:
        assert chart.finer(("1m", "15m", "1h", "1d"), interval, 500) == finer
