"""A card for each symbol: price, change, staleness, last signal, the model behind it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dash import html

from dashboard import wording

LIVE_SECONDS, STALE_SECONDS = 10, 60
"""A price is live up to the first age, delayed up to the second, stale beyond it."""

_SIGNAL_MARKS = {"buy": "▲ BUY", "sell": "▼ SELL", "hold": "▬ HOLD"}
_SIGNAL_STYLES = {"buy": "up", "sell": "down", "hold": "flat"}
ALGORITHMS = {"random_forest": "random forest", "xgboost": "XGBoost", "mean": "mean of both"}

Document = dict[str, Any]


def part(symbol: str, name: str) -> dict[str, str]:
    """Return the id of a card's part, which updates address."""
    return {"type": name, "symbol": symbol}


def card(symbol: str) -> html.Article:
    """Return the symbol's card, empty until the first update; pressed, it opens the chart."""
    pick = html.Button(
        wording.pair(symbol), id={"type": "card", "symbol": symbol}, className="pick", title="Show the chart"
    )
    return html.Article(
        [
            html.Div(
                [html.H2(pick), html.Span("waiting", id=part(symbol, "staleness"), className="badge flat")],
                className="card-head",
            ),
            html.Div(
                [
                    html.Span("–", id=part(symbol, "price"), className="price"),
                    html.Span("–", id=part(symbol, "change"), className="change flat"),
                ],
                className="card-price",
            ),
            html.Div(id=part(symbol, "range"), className="muted"),
            html.Dl(
                [
                    html.Dt("Signal"),
                    html.Dd("–", id=part(symbol, "signal")),
                    html.Dt("Model"),
                    html.Dd("–", id=part(symbol, "model")),
                ]
            ),
        ],
        className="card",
    )


def staleness(ticker: Document | None, now: datetime) -> tuple[str, str]:
    """Return the badge's text and style class for the age of a symbol's last price."""
    if ticker is None:
        return "no live price yet", "badge flat"
    seconds = wording.seconds_since(ticker["received_at"], now)
    if seconds <= LIVE_SECONDS:
        return "● live", "badge live"
    if seconds <= STALE_SECONDS:
        return f"◐ {wording.age(seconds)} old", "badge delayed"
    return f"○ stale, {wording.age(seconds)} old", "badge stale"


def day_range(ticker: Document) -> str:
    """Return the day's low, high and turnover (in the quote asset) in one line."""
    low, high = wording.price(ticker["low"]), wording.price(ticker["high"])
    return f"24 h: {low} – {high} · turnover {wording.quantity(ticker['quote_volume'])}"


def signal(latest: Document | None) -> list[Any]:
    """Return the last signal with its confidence, its candle, and its mark when not fit."""
    if latest is None:
        return ["none yet"]
    kind = latest["signal"]
    shown: list[Any] = [
        html.Span(_SIGNAL_MARKS[kind], className=f"pill {_SIGNAL_STYLES[kind]}"),
        html.Span(f"{latest['confidence']:.0%} confidence", className="confidence"),
    ]
    if not latest["fit"]:
        shown.append(unfit())
    when = f"{latest['interval']} candle of {wording.clock(latest['open_time'])} UTC"
    return [*shown, html.Div(when, className="muted")]


def model(champion: Document | None, now: datetime) -> list[Any]:
    """Return the serving model's algorithm, age and version."""
    if champion is None:
        return ["none serves yet"]
    algorithm = ALGORITHMS.get(champion["algorithm"], champion["algorithm"])
    since = wording.age(wording.seconds_since(champion["promoted_at"], now))
    shown: list[Any] = [html.Span(f"{algorithm}, serving for {since}", className="algorithm")]
    if not champion["fit"]:
        shown.append(unfit())
    return [*shown, html.Div(champion["version"], className="muted version")]


def unfit() -> html.Span:
    """Return the mark of a model that has shown no edge over its baselines out of sample."""
    meaning = "Out of sample this model did not beat its baselines: no opportunity is claimed."
    return html.Span("not fit", className="pill unfit", title=meaning)
