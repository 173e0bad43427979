"""What surrounds every page: header with links, notices, footer."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.gate import viewer
from dashboard.parts import chart
from dashboard.parts.aria import aria

_DARK = [
    "#e6eaf0", "#c3cad5", "#9aa5b4", "#6d7888", "#3a465a",
    "#2e394b", "#263040", "#161d28", "#0e131b", "#0a0e14",
]  # fmt: skip
"""Shades of the dark scheme, from ink to ground, as in the style sheet."""


def layout() -> dmc.MantineProvider:
    """Return the frame around the pages, for the viewer who asks for it."""
    session = viewer()
    return dmc.MantineProvider(
        [
            dcc.Store(id="chart-options", data={"light": chart.options(False), "dark": chart.options(True)}),
            dcc.Store(id="color-scheme"),
            dcc.Store(id="beat"),
            html.A("Skip to content", href="#content", className="skip"),
            _header(session.user if session else ""),
            html.Div(id="connection", className="notice", role="status", hidden=True),
            html.Div(id="api-away", className="notice", role="status", hidden=True),
            html.Main(dash.page_container, id="content"),
            _footer(),
        ],
        defaultColorScheme="auto",
        theme={"primaryColor": "blue", "defaultRadius": "md", "colors": {"dark": _DARK}},
    )


def _header(user: str) -> html.Header:
    return html.Header(
        [
            html.A(
                [html.Img(src="/assets/favicon.svg", alt="", width=28, height=28), html.Span("CryptoBot")],
                href="/",
                className="brand",
            ),
            html.Nav(
                [
                    _inside("Market", "/", "view"),
                    _inside("Models", "/models", "models-view"),
                ],
                className="pages",
                **aria(label="Pages"),
            ),
            html.Nav(
                [
                    outside("Airflow", "airflow-link", None, "The pipeline that makes what is shown"),
                    outside("Quality", "quality-link", "/quality/", "The quality report of the data"),
                ],
                className="elsewhere",
                **aria(label="Elsewhere"),
            ),
            dmc.ColorSchemeToggle(
                lightIcon=html.Span("☀", **aria(hidden="true")),
                darkIcon=html.Span("☾", **aria(hidden="true")),
                variant="default",
                size="lg",
                **aria(label="Switch between light and dark"),
            ),
            html.Span(user, className="user", title="Logged in"),
            html.Form(html.Button("Log out", className="quiet"), action="/logout", method="post"),
        ],
        className="top",
    )


def _inside(text: str, address: str, view: str) -> html.A:
    """Return the link to a page, which is marked while the page's ``view`` is open."""
    attributes: dict[str, Any] = {"data-view": view}
    return html.A(text, href=address, **attributes)


def outside(text: str, name: str, address: str | None, title: str) -> html.A:
    """Return a link that opens elsewhere, under an id by which its address can be given later."""
    arrow: Any = html.Span(" ↗", **aria(hidden="true"))
    return html.A([text, arrow], id=name, href=address, target="_blank", rel="noopener", title=title)


def _footer() -> html.Footer:
    return html.Footer(
        [
            html.Div("No service has reported yet.", id="services", className="services"),
            html.P("It alerts; it never trades. What is shown is no investment advice."),
        ],
        className="bottom",
    )
