"""The drift of a model: by day, by feature, and in what it predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboard import wording
from dashboard.parts.aria import aria

Document = dict[str, Any]

FEATURES = 8
"""Of the features, those furthest beyond their limits."""
_LEARNED, _USUAL, _DRIFTED = "in the training", "since, as usual", "since, drifted"
_SERIES = [
    {"name": _LEARNED, "color": "var(--line-strong)"},
    {"name": _USUAL, "color": "var(--up)"},
    {"name": _DRIFTED, "color": "var(--down)"},
]
_BEYOND = html.Span("✕ ", title="beyond its limit", role="img", **aria(label="beyond its limit"))
_MARKS = {"buy": "▲ buy", "sell": "▼ sell", "hold": "▬ hold"}


def badge(days: Sequence[Document]) -> tuple[str, str]:
    """Return the badge's text and style class for a model's last days."""
    if not days:
        return "drift not measured", "badge flat"
    if days[-1]["drifted"]:
        return "▲ drifted", "badge stale"
    return ("● just trained" if days[-1]["in_sample"] else "● no drift"), "badge live"


def chart() -> dmc.BarChart:
    """Return the empty chart of the share of shifted features by day, which the page's updates fill."""
    return dmc.BarChart(
        id="drift-chart",
        data=[],
        dataKey="day",
        type="stacked",
        series=_SERIES,
        unit=" %",
        h="100%",
        withLegend=True,
        legendProps={"verticalAlign": "top", "height": 34},
        yAxisProps=_axis(100),
        xAxisProps={"minTickGap": 24},
        maxBarWidth=28,
        barProps={"isAnimationActive": False},
        **aria(label="Share of the features that have shifted, by day"),
    )


def chart_of(days: Sequence[Document]) -> Document:
    """Return the chart's data and its limit."""
    data = [{"day": day["day"][5:10], _series(day): round(100 * day["features_share"], 1)} for day in days]
    if not days:
        return {"data": data, "referenceLines": []}
    limit = round(100 * days[-1]["features_share_limit"])
    highest = max(limit, *(100 * day["features_share"] for day in days))
    line = {"y": limit, "label": f"usual up to {limit} %", "color": "var(--ink)", "strokeDasharray": "4 4"}
    return {
        "data": data,
        "referenceLines": [{**line, "labelPosition": "insideBottomLeft"}],
        "yAxisProps": _axis(min(100, 20 * math.ceil((highest + 5) / 20))),
    }


def _axis(highest: int) -> Document:
    """Return the axis of shares in percent, up to a multiple of 20."""
    return {"domain": [0, highest], "width": 52, "ticks": list(range(0, highest + 1, 20))}


def _series(day: Document) -> str:
    return _LEARNED if day["in_sample"] else _DRIFTED if day["drifted"] else _USUAL


def said(days: Sequence[Document]) -> str:
    """Return in a sentence what was found last."""
    if not days:
        return "Nothing is measured yet: the DAG drift does when features or signals were made."
    last = days[-1]
    until = f"The {last['rows']} candles until {wording.clock(last['end'])}"
    if last["drifted"]:
        return f"{until} have left what the model was trained on: {'; '.join(last['reasons'])}."
    if last["in_sample"]:
        return f"{until} are those that the model was trained on; what comes after is judged."
    return f"{until} are distributed as the training leads one to expect."


def features(days: Sequence[Document]) -> list[Any]:
    """Return the features that have moved furthest, each as a bar up to twice its limit."""
    if not days:
        return [html.P("–", className="muted")]
    return [
        html.Div(
            [
                html.Span(each["name"], className="bar-name"),
                html.Span(
                    html.Span(className="bar-fill", style={"width": f"{_filled(each):.1f}%"}),
                    className="bar over" if each["index"] > each["limit"] else "bar",
                    **aria(hidden="true"),
                ),
                html.Span(f"{each['index']:.2f} of {each['limit']:.2f}", className="bar-value"),
            ],
            className="bar-row",
        )
        for each in days[-1]["features"][:FEATURES]
    ]


def _filled(each: Document) -> float:
    return 50.0 * min(2.0, each["index"] / each["limit"])


def predictions_and_hits(days: Sequence[Document]) -> list[Any]:
    """Return how the newest predictions are distributed, and what became of past signals."""
    if not days:
        return [html.P("–", className="muted")]
    last = days[-1]
    predictions, hits = last["predictions"], last["hits"]
    classes = predictions["classes"] if predictions else {}
    return [
        _table(
            ("Probability of", "Index", "Limit"),
            [
                (_MARKS[name], f"{each['index']:.2f}", f"{each['limit']:.2f}", each["index"] > each["limit"])
                for name in _MARKS
                if (each := classes.get(name))
            ],
            "Too few predictions since the training to compare.",
        ),
        _table(
            ("Signals", "Known", "Came true", "Out of sample"),
            [
                (
                    _MARKS[name],
                    wording.whole(each["signals"]),
                    wording.share(each["rate"]),
                    wording.share(each["expected"]),
                    each["fallen"],
                )
                for name in _MARKS
                if (each := hits.get(name))
            ],
            "No signal since the training has an outcome yet.",
        ),
    ]


def _table(head: Sequence[str], lines: Sequence[tuple[Any, ...]], empty: str) -> Any:
    """Return a small table; the last of each line tells whether it is beyond its limit, which is marked."""
    if not lines:
        return html.P(empty, className="muted")
    return html.Table(
        [
            html.Thead(html.Tr([html.Th(name, scope="col") for name in head])),
            html.Tbody(
                [
                    html.Tr(
                        [html.Td([_BEYOND, cell] if beyond else cell), *map(html.Td, cells)],
                        className="down" if beyond else None,
                    )
                    for cell, *cells, beyond in lines
                ]
            ),
        ],
        className="small-table",
    )
