"""The table of the latest signals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import dash_ag_grid as dag

from dashboard import wording

_WORDS = {"buy": "▲ buy", "sell": "▼ sell", "hold": "▬ hold"}
_THEME = {
    "backgroundColor": "var(--panel)",
    "foregroundColor": "var(--ink)",
    "headerBackgroundColor": "var(--ground)",
    "borderColor": "var(--line)",
    "accentColor": "var(--accent)",
    "fontFamily": "inherit",
    "fontSize": 13,
    "rowHeight": 36,
    "headerHeight": 38,
    "cellHorizontalPadding": 12,
}
"""The grid takes the page's own colours, and so follows it from light to dark."""
_COLUMNS: list[dict[str, Any]] = [
    {"field": "candle", "headerName": "Candle (UTC)", "minWidth": 160, "sort": "desc"},
    {"field": "pair", "headerName": "Pair", "minWidth": 110, "filter": True},
    {
        "field": "signal",
        "headerName": "Signal",
        "minWidth": 110,
        "filter": True,
        "cellClassRules": {
            "up": "params.data.kind == 'buy'",
            "down": "params.data.kind == 'sell'",
            "flat": "params.data.kind == 'hold'",
        },
    },
    {"field": "confidence", "headerName": "Confidence", "minWidth": 115, "type": "rightAligned"},
    {"field": "fit", "headerName": "Model is", "minWidth": 100},
    {"field": "close", "headerName": "Close", "minWidth": 115, "type": "rightAligned"},
    {"field": "interval", "headerName": "Interval", "minWidth": 95},
    {"field": "version", "headerName": "Model version", "minWidth": 290, "flex": 2},
]


def rows(signals: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the table's rows for signals of the API, newest candle first."""
    newest_first = sorted(signals, key=lambda signal: (signal["open_time"], signal["symbol"]), reverse=True)
    return [
        {
            "id": signal["id"],
            "candle": wording.clock(signal["open_time"]),
            "pair": wording.pair(signal["symbol"]),
            "kind": signal["signal"],
            "signal": _WORDS[signal["signal"]],
            "confidence": f"{signal['confidence']:.0%}",
            "close": wording.price(signal["close"]),
            "interval": signal["interval"],
            "fit": _standing(signal),
            "version": signal["model_version"],
        }
        for signal in newest_first
    ]


def _standing(signal: dict[str, Any]) -> str:
    fit = "fit" if signal["fit"] else "not fit"
    return f"{fit}, trained on it" if signal.get("in_sample") else fit


def table() -> dag.AgGrid:
    """Return the empty table, which the page's updates fill."""
    return grid("signals", _COLUMNS, "No signal yet: the first follows the first model.")


def grid(name: str, columns: list[dict[str, Any]], empty: str, **column: Any) -> dag.AgGrid:
    """Return an empty table in the page's colours; ``column`` is what its columns have in common."""
    return dag.AgGrid(
        id=name,
        columnDefs=columns,
        rowData=[],
        defaultColDef={"flex": 1, "resizable": True, "sortable": True, **column},
        getRowId="params.data.id",
        dashGridOptions={
            "animateRows": False,
            "localeText": {"noRowsToShow": empty},
            "theme": {"function": f"themeQuartz.withParams({json.dumps(_THEME)})"},
            "tooltipShowDelay": 300,
        },
        style={"height": "100%", "width": "100%"},
    )
