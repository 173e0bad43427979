"""Stream names, as ``btcusdt@kline_1m``, and what they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptobot.market import Interval

_INTERVALS = {interval.value: interval for interval in Interval}
_STREAM = re.compile(
    r"^(?P<symbol>[a-z0-9]{4,20})@(?P<kind>trade|aggTrade|miniTicker|ticker|bookTicker|"
    r"kline_(?P<interval>\w+?)(?P<zone>@\+08:00)?)$"
)
_EVERY = {"!miniTicker@arr": "miniTicker", "!ticker@arr": "ticker"}
_EIGHT_HOURS_MS = 8 * 3_600_000


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream in one shape: whose it is, what it carries, wrapped or raw, ms or us.

    ``symbol`` is empty for the streams of all symbols.
    """

    name: str
    symbol: str
    kind: str
    interval: Interval | None
    zone_ms: int
    wrapped: bool
    scale: int


def parse(name: str, *, wrapped: bool, scale: int) -> Stream | None:
    """Return the stream called ``name``, or None when there is none of that form."""
    if name in _EVERY:
        return Stream(name, "", _EVERY[name], None, 0, wrapped, scale)
    found = _STREAM.match(name)
    if not found:
        return None
    interval = _INTERVALS.get(found["interval"] or "")
    if found["interval"] and interval is None:
        return None
    kind = "kline" if interval is not None else found["kind"]
    zone_ms = _EIGHT_HOURS_MS if found["zone"] else 0
    return Stream(name, found["symbol"].upper(), kind, interval, zone_ms, wrapped, scale)
