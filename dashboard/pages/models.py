"""The page of models: a card for each symbol's champion, the drift of one, and all its versions."""

from __future__ import annotations

from typing import Any

import dash
from dash import ALL, ClientsideFunction, Input, Output, State, clientside_callback, dcc, html

from cryptobot.settings import Settings
from dashboard import wording
from dashboard.pages.choice import choice, chosen_symbol
from dashboard.parts import backtest, drift, models
from dashboard.parts.shell import outside

_DRIFT = (
    "A feature has shifted when its population stability index over the last candles is above 0.25 and above "
    "what nearly all windows of the training itself had. Bars are the share of such features, day by day."
)


def register(settings: Settings) -> None:
    """Register the page under ``/models`` and ``/models/<symbol>``, with what runs in the browser."""

    def layout(symbol: str | None = None, **_: Any) -> html.Div:
        return _layout(settings, symbol)

    dash.register_page("models", path="/models", title="Models · CryptoBot", layout=layout)
    dash.register_page(
        "models_symbol",
        path_template="/models/<symbol>",
        title=lambda symbol="": f"Models of {wording.pair(symbol)} · CryptoBot",
        layout=layout,
    )
    clientside_callback(
        ClientsideFunction("cryptobot", "models"),
        Output("models-view", "data"),
        Output({"type": "model-card", "symbol": ALL}, "aria-pressed"),
        Input("models-symbol", "value"),
        State("models-symbol", "data"),
        State({"type": "model-card", "symbol": ALL}, "id"),
    )
    clientside_callback(
        ClientsideFunction("cryptobot", "select"),
        Output("models-symbol", "value"),
        Input({"type": "model-card", "symbol": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )


def _layout(settings: Settings, symbol: str | None) -> html.Div:
    shown, unknown = chosen_symbol(settings, symbol)
    pairs = {name: wording.pair(name) for name in settings.symbols}
    return html.Div(
        [
            dcc.Store(id="models-view"),
            html.Div(className="view-open", hidden=True),
            unknown,
            html.Section([models.card(name) for name in settings.symbols], className="cards"),
            html.Section(
                [
                    html.Div(
                        [html.H2("Drift"), choice("models-symbol", "Pair", pairs, shown)], className="choices"
                    ),
                    html.P("Loading…", id="drift-said", className="said"),
                    html.Div(
                        [
                            html.Div(drift.chart(), className="drift-chart"),
                            html.Div(
                                [html.H3("Features that moved most"), html.Div(id="drift-features")],
                                className="drift-part",
                            ),
                            html.Div(
                                [html.H3("Predictions and past signals"), html.Div(id="drift-model")],
                                className="drift-part",
                            ),
                        ],
                        className="drift",
                    ),
                    html.P(_DRIFT, className="muted"),
                ],
                className="panel",
            ),
            html.Section(
                [
                    html.H2("How the champion was judged"),
                    html.Div(
                        [
                            html.Div(backtest.chart(), className="backtest-chart"),
                            html.Ul(id="backtest-conditions", className="conditions"),
                        ],
                        className="backtest",
                    ),
                    html.P(
                        "Capital of one, long or flat, net of fees and slippage, on candles later than those "
                        "that each fold learned from. A model is fit only when it meets every condition.",
                        className="muted",
                    ),
                ],
                className="panel",
            ),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("Models", id="versions-of"),
                            outside(
                                "Roll back", "roll-back-link", None, "Return to the model before, by a form"
                            ),
                        ],
                        className="choices",
                    ),
                    html.Div(models.table(), className="table versions"),
                ],
                className="panel",
            ),
        ],
        className="page",
    )
