"""What of several a page shows: the control to choose with, and what is chosen at first."""

from __future__ import annotations

import dash_mantine_components as dmc
from dash import html

from cryptobot.settings import Settings
from dashboard.parts.aria import aria


def choice(name: str, label: str, values: dict[str, str], chosen: str) -> dmc.SegmentedControl:
    """Return the control ``name`` that offers ``values``, each with what is shown for it."""
    data = [{"value": value, "label": shown} for value, shown in values.items()]
    return dmc.SegmentedControl(id=name, data=data, value=chosen, size="sm", **aria(label=label))


def chosen_symbol(settings: Settings, asked: str | None) -> tuple[str, html.Div | None]:
    """Return the symbol that a page begins with, and a notice where the one asked for is not watched."""
    if not asked or asked in settings.symbols:
        return asked or settings.symbols[0], None
    told = f"{asked} is not watched; watched are {', '.join(settings.symbols)}."
    return settings.symbols[0], html.Div(told, className="notice", role="status")
