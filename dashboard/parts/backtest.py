"""How a champion was judged: the capital that its signals would have made, and each condition of the gate."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboard.parts.aria import aria

Document = dict[str, Any]

POINTS = 200
"""As many as a chart of this size can tell apart."""
_OWN, _HELD = "its signals", "buy and hold"


def chart() -> dmc.LineChart:
    """Return the empty chart of the capital over time, which the page's updates fill."""
    return dmc.LineChart(
        id="backtest-chart",
        data=[],
        dataKey="day",
        series=[{"name": _OWN, "color": "var(--up)"}, {"name": _HELD, "color": "var(--muted)"}],
        h="100%",
        withDots=False,
        withLegend=True,
        legendProps={"verticalAlign": "top", "height": 34},
        curveType="linear",
        strokeWidth=2,
        referenceLines=[{"y": 1, "color": "var(--muted)", "strokeDasharray": "4 4"}],
        yAxisProps={"domain": ["auto", "auto"], "width": 52, "tickCount": 6},
        xAxisProps={"minTickGap": 40},
        lineProps={"isAnimationActive": False},
        **aria(label="Capital of one over time: the model's signals against buy and hold"),
    )


def chart_of(backtest: Document | None) -> list[Document]:
    """Return the chart's data: the capital at no more than :data:`POINTS` times, the last among them."""
    curves = (backtest or {}).get("curves") or {"open_time": [], "strategy": [], "buy_and_hold": []}
    points = list(zip(curves["open_time"], curves["strategy"], curves["buy_and_hold"], strict=True))
    step = max(1, -(-len(points) // POINTS))
    return [
        {"day": at[:10], _OWN: round(own, 4), _HELD: round(held, 4)}
        for at, own, held in reversed(points[::-1][::step])
    ]


def conditions(backtest: Document | None) -> list[Any]:
    """Return what was asked of the model, each with its figures and whether it was met."""
    if backtest is None:
        return [html.Li("No backtest is recorded yet.", className="muted")]
    return [_condition(reason) for reason in backtest["reasons"]]


def _condition(reason: str) -> html.Li:
    outcome, _, told = reason.partition(": ")
    met = outcome == "passed"
    mark = html.Span(
        "✓" if met else "✕", className="up" if met else "down", **aria(label="met" if met else "not met")
    )
    return html.Li([mark, html.Span(told or outcome)])
