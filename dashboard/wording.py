"""How prices, changes, instants and ages are written on the page."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptobot.market.instant import parse_instant

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_SCALES = ((1e9, "B"), (1e6, "M"), (1e3, "k"))

_QUOTE_ASSETS = ("USDT", "USDC", "FDUSD", "TUSD", "EUR", "TRY", "BTC", "ETH", "BNB")


def pair(symbol: str) -> str:
    """Return a symbol as people write the pair, ``BTC/USDT``; unchanged where its parts are not known."""
    for quote in _QUOTE_ASSETS:
        if symbol.endswith(quote) and symbol != quote:
            return f"{symbol.removesuffix(quote)}/{quote}"
    return symbol


def decimals(value: float) -> int:
    """Return how many decimals a price of this size is quoted with."""
    size = abs(value)
    return 2 if size >= 100 else 4 if size >= 1 else 6


def price(value: float | None) -> str:
    """Return a price with its thousands set apart: ``67,123.45``."""
    return "–" if value is None else f"{value:,.{decimals(value)}f}"


def change(percent: float | None) -> str:
    """Return a change in percent with an arrow and a sign, so that it reads without colour."""
    if percent is None:
        return "–"
    rounded = round(percent, 2)
    arrow = "▲" if rounded > 0 else "▼" if rounded < 0 else "▬"
    return f"{arrow} {rounded:+.2f} %" if rounded else f"{arrow} 0.00 %"


def direction(percent: float | None) -> str:
    """Return the style class of a change: ``up``, ``down`` or ``flat``."""
    rounded = round(percent or 0, 2)
    return "up" if rounded > 0 else "down" if rounded < 0 else "flat"


def quantity(value: float | None) -> str:
    """Return a large number in three or four digits: ``12.3k``."""
    if value is None:
        return "–"
    for scale, letter in _SCALES:
        if abs(value) >= scale:
            return f"{value / scale:,.1f}{letter}"
    return f"{value:,.1f}"


def seconds_since(instant: str, now: datetime) -> float:
    """Return the seconds from an ISO instant to ``now``; never negative (clocks differ a little)."""
    return max(0.0, (now - parse_instant(instant)).total_seconds())


def age(seconds: float) -> str:
    """Return an age in its largest whole unit: ``35 s``, ``12 min``, ``3 h``, ``8 d``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def clock(instant: str) -> str:
    """Return an ISO instant as UTC date and time, ``2026-11-22 16:15``."""
    return parse_instant(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def percent(share: float | None, places: int = 1) -> str:
    """Return a signed share in percent, ``+1.2 %``; a dash where it is not known."""
    return "–" if share is None else f"{100 * share:+.{places}f} %"


def share(value: float | None) -> str:
    """Return a share of a whole in percent, ``48 %``."""
    return "–" if value is None else f"{100 * value:.0f} %"


def number(value: float | None, places: int) -> str:
    """Return a figure with so many decimals."""
    return "–" if value is None else f"{value:.{places}f}"


def whole(value: int | None) -> str:
    """Return a count with its thousands set apart."""
    return "–" if value is None else f"{value:,}"
