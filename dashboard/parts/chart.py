"""The candle chart: series, markers and the bar that is still open, as Lightweight Charts takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dash_tvlwc

from cryptobot.market.instant import parse_instant, to_ms
from cryptobot.market.interval import Interval
from dashboard.wording import decimals

UP, DOWN = "#3987d6", "#e0762d"
"""Blue and orange: told apart with every kind of colour vision, on light and on dark."""
_VOLUME_UP, _VOLUME_DOWN = "rgba(57, 135, 214, 0.35)", "rgba(224, 118, 45, 0.35)"
_UNFIT = "#8b95a5"

Bar = dict[str, Any]
Document = dict[str, Any]


def bar(candle: Document) -> Bar:
    """Return a candle of the API as a bar; its time is the open time in seconds."""
    return {
        "time": to_ms(parse_instant(candle["open_time"])) // 1_000,
        **{name: candle[name] for name in ("open", "high", "low", "close")},
    }


def volume_bar(candle: Document) -> Bar:
    """Return a candle's volume, tinted by the candle's direction."""
    rising = candle["close"] >= candle["open"]
    return {
        "time": to_ms(parse_instant(candle["open_time"])) // 1_000,
        "value": candle["volume"],
        "color": _VOLUME_UP if rising else _VOLUME_DOWN,
    }


def open_bar(bars: Sequence[Bar], current: Bar | None, price: float, at: str, interval: str) -> Bar | None:
    """Return the bar still open at ``at`` with ``price`` in it, or ``None`` where candles are newer.

    It begins at the last close, so that a page opened in mid-candle shows no false gap; the
    closed candle replaces it as soon as the API has it.
    """
    open_time = Interval(interval).floor(to_ms(parse_instant(at))) // 1_000
    if bars and open_time <= bars[-1]["time"]:
        return None
    if current is None or current["time"] != open_time:
        first = bars[-1]["close"] if bars else price
        current = {"time": open_time, "open": first, "high": first, "low": first, "close": first}
    return {
        **current,
        "high": max(current["high"], price),
        "low": min(current["low"], price),
        "close": price,
    }


def markers(signals: Iterable[Document], bars: Sequence[Bar], interval: str) -> list[dict[str, Any]]:
    """Return arrows for buy and sell signals, at the bar in which each signal's candle closed.

    Signals older than the first bar are left out. A signal of a model that is not fit is grey.
    """
    if not bars:
        return []
    grid = Interval(interval)
    placed: dict[int, dict[str, Any]] = {}
    for signal in signals:
        time = grid.floor(to_ms(parse_instant(signal["close_time"]))) // 1_000
        if signal["signal"] == "hold" or not bars[0]["time"] <= time <= bars[-1]["time"]:
            continue
        buy = signal["signal"] == "buy"
        placed[time] = {
            "time": time,
            "position": "belowBar" if buy else "aboveBar",
            "shape": "arrowUp" if buy else "arrowDown",
            "color": (UP if buy else DOWN) if signal["fit"] else _UNFIT,
            "text": "B" if buy else "S",
        }
    return [placed[time] for time in sorted(placed)]


def series(
    candles: Sequence[Document], bars: Sequence[Bar], arrows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the chart's whole content: candles with their arrows, volume below them."""
    places = decimals(bars[-1]["close"]) if bars else 2
    return [
        {
            "id": "candles",
            "type": "candlestick",
            "data": list(bars),
            "markers": arrows,
            "options": {
                "upColor": UP,
                "downColor": DOWN,
                "wickUpColor": UP,
                "wickDownColor": DOWN,
                "borderVisible": False,
                "priceFormat": {"type": "price", "precision": places, "minMove": 10**-places},
            },
            "priceScaleOptions": {"scaleMargins": {"top": 0.08, "bottom": 0.24}},
        },
        {
            "id": "volume",
            "type": "histogram",
            "data": [volume_bar(candle) for candle in candles],
            "options": {
                "priceScaleId": "volume",
                "priceFormat": {"type": "volume"},
                "priceLineVisible": False,
                "lastValueVisible": False,
            },
            "priceScaleOptions": {"scaleMargins": {"top": 0.82, "bottom": 0}},
        },
    ]


def options(dark: bool) -> dict[str, Any]:
    """Return the chart's options for one of the two colour schemes."""
    ink, line = ("#c3cad5", "rgba(255,255,255,0.07)") if dark else ("#41495a", "rgba(20,30,50,0.08)")
    return {
        "autoSize": True,
        "layout": {"background": {"type": "solid", "color": "transparent"}, "textColor": ink, "fontSize": 12},
        "grid": {"vertLines": {"color": line}, "horzLines": {"color": line}},
        "rightPriceScale": {"borderColor": line},
        "timeScale": {"borderColor": line, "timeVisible": True, "secondsVisible": False, "rightOffset": 4},
        "crosshair": {"mode": 0},
    }


def layout() -> dash_tvlwc.Tvlwc:
    """Return the empty chart, which the page's updates fill."""
    return dash_tvlwc.Tvlwc(
        id="chart", series=[], chartOptions=options(dark=False), height="100%", width="100%"
    )
