"""Query parameters, read as strictly as the exchange reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import orjson

from cryptobot.market import Interval
from cryptobot.market.kline import ARCHIVE_MICROSECONDS_FROM
from infra.exchange import errors

_INTERVALS = {interval.value: interval for interval in Interval}
_SYMBOL = r"^[A-Z0-9-_.]{1,20}$"
_SYMBOLS = r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$'
_NUMBER = r"^[0-9]{1,20}$"
_ZONE = re.compile(r"^([+-]?)(\d{1,2})(?::(\d{2}))?$")


class Parameters:
    """The parameters of one request; each is checked when it is read."""

    def __init__(self, query: str) -> None:
        pairs = parse_qsl(query, keep_blank_values=True)
        self._values: Mapping[str, str] = dict(pairs)
        self._count = len(pairs)

    def know(self, known: frozenset[str]) -> None:
        """Refuse parameters that are not in ``known``, and any that is sent twice."""
        if self._count > len(self._values) or not known.issuperset(self._values):
            raise errors.too_many_parameters(len(known), self._count)

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def get(self, name: str) -> str:
        """Return a parameter's text as it was sent, or nothing."""
        return self._values.get(name, "")

    def text(self, name: str) -> str:
        """Return a mandatory parameter."""
        value = self._values.get(name)
        if not value:
            raise errors.missing(name)
        return value

    def symbol(self, traded: Mapping[str, object]) -> str:
        """Return ``symbol``, which must be traded."""
        symbol = self.text("symbol")
        if not re.fullmatch(_SYMBOL, symbol):
            raise errors.illegal_characters("symbol", _SYMBOL)
        if symbol not in traded:
            raise errors.invalid_symbol()
        return symbol

    def symbol_list(self, traded: Mapping[str, object]) -> list[str]:
        """Return ``symbols``, a JSON array of traded symbols, each once."""
        text = self.text("symbols")
        if not re.fullmatch(_SYMBOLS, text):
            raise errors.illegal_characters("symbols", _SYMBOLS)
        symbols: list[str] = orjson.loads(text)
        if len(set(symbols)) < len(symbols):
            raise errors.symbol_twice()
        if not all(symbol in traded for symbol in symbols):
            raise errors.invalid_symbol()
        return symbols

    def time_ms(self, name: str, *, up: bool = False) -> int | None:
        """Return a time in ms, or None; it may be sent in us, and is then rounded down or ``up``."""
        value = self.integer(name)
        if value is None or value < ARCHIVE_MICROSECONDS_FROM:
            return value
        return -(-value // 1_000) if up else value // 1_000

    def integer(self, name: str) -> int | None:
        """Return a whole number, or None when it was not sent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not re.fullmatch(_NUMBER, value):
            raise errors.illegal_characters(name, _NUMBER)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return ``limit``: above the maximum it counts as the maximum."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise errors.invalid_value("limit")
        return min(value, most)

    def interval(self) -> Interval:
        """Return the candle interval; its case matters."""
        found = _INTERVALS.get(self.text("interval"))
        if found is None:
            raise errors.invalid_interval()
        return found

    def zone_ms(self) -> int:
        """Return the offset of ``timeZone`` (-12:00 to +14:00) in ms; without it, 0."""
        text = self._values.get("timeZone")
        if text is None:
            return 0
        found = _ZONE.match(text.strip())
        if not found:
            raise errors.invalid_value("timeZone")
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        minutes = -minutes if found[1] == "-" else minutes
        if not -12 * 60 <= minutes <= 14 * 60 or int(found[3] or 0) > 59:
            raise errors.invalid_value("timeZone")
        return minutes * 60_000
