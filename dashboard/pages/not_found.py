"""What is shown at addresses that are none of the dashboard's."""

from __future__ import annotations

import dash
from dash import html


def register() -> None:
    """Register the page under the name by which Dash finds it."""
    there = html.P(["There is no page at this address; go to the ", html.A("market", href="/"), "."])
    layout = html.Section([html.H2("Page not found"), there], className="panel not-found")
    dash.register_page("not_found_404", path="/404", title="Page not found · CryptoBot", layout=layout)
