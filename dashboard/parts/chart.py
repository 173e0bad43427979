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


def open_time(at: str, interval: str) -> int:
    """Return the open time, in seconds, of the candle that is open at an ISO instant."""
    return Interval(interval).floor(to_ms(parse_instant(at))) // 1_000


def finer(intervals: Iterable[str], interval: str, at_most: int) -> str | None:
    """Return the finest interval of which at most ``at_most`` candles make one of ``interval``."""
    length = Interval(interval).milliseconds
    lengths = {name: Interval(name).milliseconds for name in intervals}
    fitting = [name for name in lengths if lengths[name] < length <= lengths[name] * at_most]
    return min(fitting, key=lengths.__getitem__, default=None)


def begun_bar(time: int, parts: Sequence[Document], last: Bar) -> Bar:
    """Return the bar that opens at ``time`` as far as it is known.

    It is made of the finer candles that have closed within it; without any it begins at the
    last close.
    """
    if not parts:
        close = last["close"]
        return {"time": time, "open": close, "high": close, "low": close, "close": close}
    return {
        "time": time,
        "open": parts[0]["open"],
        "high": max(part["high"] for part in parts),
        "low": min(part["low"] for part in parts),
        "close": parts[-1]["close"],
    }


def moved_bar(bar: Bar, price: float) -> Bar:
    """Return an open bar with one more price in it."""
    return {**bar, "high": max(bar["high"], price), "low": min(bar["low"], price), "close": price}


def markers(signals: Iterable[Document], bars: Sequence[Bar], interval: str) -> list[dict[str, Any]]:
    """Return arrows where the signal turns to buy or to sell, at the bar in which its candle closed.

    ``signals`` come the newest first; where several fall into one bar, the newest stands. Those
    outside the bars are left out. A signal of a model that is not fit is grey; one on a candle
    that the model was trained on is small and without its letter.
    """
    if not bars:
        return []
    grid = Interval(interval)
    placed: dict[int, Document] = {}
    for signal in signals:
        placed.setdefault(grid.floor(to_ms(parse_instant(signal["close_time"]))) // 1_000, signal)
    arrows, before = [], "hold"
    for time in sorted(placed):
        signal = placed[time]
        if signal["signal"] not in ("hold", before) and bars[0]["time"] <= time <= bars[-1]["time"]:
            arrows.append(_arrow(time, signal))
        before = signal["signal"]
    return arrows


def _arrow(time: int, signal: Document) -> dict[str, Any]:
    buy, hindsight = signal["signal"] == "buy", signal.get("in_sample", False)
    return {
        "time": time,
        "position": "belowBar" if buy else "aboveBar",
        "shape": "arrowUp" if buy else "arrowDown",
        "color": (UP if buy else DOWN) if signal["fit"] else _UNFIT,
        "size": 0.5 if hindsight else 1,
        "text": "" if hindsight else "B" if buy else "S",
    }


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
