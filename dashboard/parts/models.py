"""The champions' cards and the table of all versions, with their figures out of sample."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import dash_ag_grid as dag
from dash import html

from dashboard import wording
from dashboard.parts.cards import ALGORITHMS, part, unfit
from dashboard.parts.signals import grid

Document = dict[str, Any]

_STATES = {
    "champion": "★ champion",
    "challenger": "challenger",
    "superseded": "superseded",
    "quarantined": "✕ quarantined",
}
_RIGHT = {"type": "rightAligned"}
_COLUMNS: list[dict[str, Any]] = [
    {
        "field": "state",
        "headerName": "State",
        "minWidth": 130,
        "filter": True,
        "cellClassRules": {
            "up": "params.data.kind == 'champion'",
            "down": "params.data.kind == 'quarantined'",
        },
    },
    {"field": "trained", "headerName": "Trained until", "minWidth": 150},
    {"field": "algorithm", "headerName": "Algorithm", "minWidth": 125, "filter": True},
    {"field": "fit", "headerName": "Fit", "minWidth": 80, "filter": True},
    {
        "field": "skill",
        "headerName": "Skill",
        "headerTooltip": "Log loss saved over the base rates",
        **_RIGHT,
    },
    {"field": "auc", "headerName": "AUC", "headerTooltip": "Buys told from sells; 0.5 is chance", **_RIGHT},
    {"field": "return", "headerName": "Return", "headerTooltip": "Net of fees and slippage", **_RIGHT},
    {"field": "sharpe", "headerName": "Sharpe", "headerTooltip": "Of a year, net", **_RIGHT},
    {"field": "drawdown", "headerName": "Drawdown", "headerTooltip": "The worst", "minWidth": 110, **_RIGHT},
    {"field": "trades", "headerName": "Trades", **_RIGHT},
    {"field": "verdict", "headerName": "Decision", "minWidth": 340, "flex": 3, "tooltipField": "verdict"},
    {"field": "version", "headerName": "Version", "minWidth": 290, "flex": 2},
]


def card(symbol: str) -> html.Article:
    """Return the card of a symbol's champion, empty until the first update; pressed, it is chosen."""
    pick = html.Button(
        wording.pair(symbol),
        id={"type": "model-card", "symbol": symbol},
        className="pick",
        title="Show its models and their drift",
    )
    return html.Article(
        [
            html.Div(
                [html.H2(pick), html.Span("–", id=part(symbol, "drift"), className="badge flat")],
                className="card-head",
            ),
            html.Div("–", id=part(symbol, "champion")),
        ],
        className="card",
    )


def champion(found: Document | None, now: datetime) -> list[Any]:
    """Return the champion's algorithm, its age, its figures out of sample, and why it serves."""
    if found is None:
        return [html.P("No model serves yet: the first follows the first training.", className="muted")]
    since = wording.age(wording.seconds_since(found["promoted_at"], now))
    head: list[Any] = [
        html.Span(ALGORITHMS.get(found["algorithm"], found["algorithm"]), className="algorithm")
    ]
    if not found["fit"]:
        head.append(unfit())
    figures = [
        html.Div([html.Dt(name, title=meaning), html.Dd(value)]) for name, value, meaning in _figures(found)
    ]
    return [
        html.Div(head, className="champion-head"),
        html.Div(
            f"serving for {since}, trained until {wording.clock(found['window']['end'])}", className="muted"
        ),
        html.Div(found["version"], className="muted version"),
        html.Dl(figures, className="figures"),
        html.P(f"Why it serves: {found['reason']}", className="muted why"),
    ]


def _figures(manifest: Document) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of what a model achieved on candles it had not learned from."""
    metrics = manifest["metrics"]
    backtest = metrics.get("backtest", {})
    strategy, market = backtest.get("strategy", {}), backtest.get("buy_and_hold", {})
    return [
        ("Skill", wording.percent(skill(metrics), 2), "Log loss saved over the base rates, out of sample"),
        (
            "Buy from sell",
            wording.number(metrics.get("auc_direction"), 3),
            "AUC of buys against sells; 0.5 is chance",
        ),
        (
            "Return",
            wording.percent(strategy.get("return")),
            "Of its signals out of sample, net of fees and slippage",
        ),
        ("Buy and hold", wording.percent(market.get("return")), "Over the same time"),
        ("Sharpe", wording.number(strategy.get("sharpe"), 2), "Of a year, net of costs"),
        ("Drawdown", wording.percent(strategy.get("max_drawdown")), "The worst fall from a peak"),
        ("Trades", wording.whole(strategy.get("trades")), "Positions entered"),
        ("Gained", wording.share(strategy.get("hit_rate")), "Of its trades"),
        (
            "Not by luck",
            wording.share(metrics.get("deflated_sharpe")),
            "Deflated Sharpe ratio: how surely the return is no chance find among all models tried",
        ),
    ]


def skill(metrics: Document) -> float | None:
    """Return the share of the base rates' log loss that a model saves; None where it is not known."""
    loss, baseline = metrics.get("log_loss"), metrics.get("log_loss_baseline")
    return 1 - loss / baseline if loss is not None and baseline else None


def rows(manifests: Iterable[Document]) -> list[Document]:
    """Return the table's rows, the newest model first; the figures are of out of sample."""
    return [_row(manifest) for manifest in manifests]


def _row(manifest: Document) -> Document:
    metrics, verdict = manifest["metrics"], manifest.get("verdict") or {}
    strategy = metrics.get("backtest", {}).get("strategy", {})
    reason = manifest.get("quarantine_reason") or verdict.get("reason") or "not decided yet"
    return {
        "id": manifest["version"],
        "kind": manifest["state"],
        "state": _STATES.get(manifest["state"], manifest["state"]),
        "trained": wording.clock(manifest["window"]["end"]),
        "algorithm": ALGORITHMS.get(manifest["algorithm"], manifest["algorithm"]),
        "fit": "fit" if manifest.get("fit") else "not fit",
        "skill": wording.percent(skill(metrics), 2),
        "auc": wording.number(metrics.get("auc_direction"), 3),
        "return": wording.percent(strategy.get("return")),
        "sharpe": wording.number(strategy.get("sharpe"), 2),
        "drawdown": wording.percent(strategy.get("max_drawdown")),
        "trades": wording.whole(strategy.get("trades")),
        "verdict": reason,
        "version": manifest["version"],
    }


def table() -> dag.AgGrid:
    """Return the empty table, which the page's updates fill."""
    return grid("versions", _COLUMNS, "No model yet: the first follows the first training.", minWidth=95)
