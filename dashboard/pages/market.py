"""The market page: a card for each symbol, the chart of one, the latest signals of all."""

from __future__ import annotations

from typing import Any

import dash
from dash import ALL, ClientsideFunction, Input, Output, State, clientside_callback, dcc, html

from cryptobot.settings import Settings
from dashboard import wording
from dashboard.pages.choice import choice, chosen_symbol
from dashboard.parts import cards, chart, signals
from dashboard.parts.aria import aria


def register(settings: Settings) -> None:
    """Register the page under ``/`` and ``/market/<symbol>``, with what runs in the browser."""

    def layout(symbol: str | None = None, interval: str | None = None, **_: Any) -> html.Div:
        return _layout(settings, symbol, interval)

    dash.register_page("market", path="/", title="CryptoBot", layout=layout)
    dash.register_page(
        "market_symbol",
        path_template="/market/<symbol>",
        title=lambda symbol="": f"{wording.pair(symbol)} · CryptoBot",
        layout=layout,
    )
    clientside_callback(
        ClientsideFunction("cryptobot", "select"),
        Output("symbol", "value"),
        Input({"type": "card", "symbol": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    clientside_callback(
        ClientsideFunction("cryptobot", "view"),
        Output("view", "data"),
        Output({"type": "card", "symbol": ALL}, "aria-pressed"),
        Input("symbol", "value"),
        Input("interval", "value"),
        State("symbol", "data"),
        State({"type": "card", "symbol": ALL}, "id"),
    )
    clientside_callback(
        ClientsideFunction("cryptobot", "chartOptions"),
        Output("chart", "chartOptions"),
        Input("color-scheme", "data"),
        State("chart-options", "data"),
    )
    clientside_callback(ClientsideFunction("cryptobot", "beat"), Input("beat", "data"))


def _layout(settings: Settings, symbol: str | None, interval: str | None) -> html.Div:
    shown, unknown = chosen_symbol(settings, symbol)
    chosen = interval if interval and interval in settings.intervals else settings.signal_interval
    pairs = {name: wording.pair(name) for name in settings.symbols}
    intervals = {name: name for name in settings.intervals}
    return html.Div(
        [
            dcc.Store(id="view"),
            html.Div(className="view-open", hidden=True),
            unknown,
            html.Section([cards.card(name) for name in settings.symbols], className="cards"),
            html.Section(
                [
                    html.Div(
                        [
                            choice("symbol", "Pair", pairs, shown),
                            choice("interval", "Interval", intervals, chosen),
                        ],
                        className="choices",
                    ),
                    html.Div(
                        [
                            chart.layout(),
                            html.Div("Loading candles…", id="chart-note", className="chart-note"),
                        ],
                        className="chart",
                        role="group",
                        **aria(label="Candles, volume and signals"),
                    ),
                    html.P(
                        "▲ B the signal turned to buy, ▼ S to sell; grey when the model is not fit, small "
                        "and without a letter where the model was trained on the candle. Times are UTC; "
                        "the candle still open is drawn up to the last price.",
                        className="muted",
                    ),
                ],
                className="panel",
            ),
            html.Section(
                [html.H2("Latest signals"), html.Div(signals.table(), className="table")], className="panel"
            ),
        ],
        className="page",
    )
