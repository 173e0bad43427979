"""The tickers: ``ticker/price``, ``ticker/bookTicker``, ``ticker/24hr`` and ``avgPrice``."""

from __future__ import annotations

from collections.abc import Callable

from infra.exchange import errors, statistics
from infra.exchange.asked import Asked
from infra.exchange.rendering import fixed

SYMBOLS = frozenset({"symbol", "symbols"})
DAY = SYMBOLS | {"type"}
AVERAGE = frozenset({"symbol"})
_MINI = (
    "symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume",
    "openTime", "closeTime", "firstId", "lastId", "count",
)  # fmt: skip


def price(asked: Asked) -> object:
    """Return the last price of each symbol that is asked for."""

    def one(symbol: str, moment: int) -> dict[str, object]:
        trade = statistics.last_trade(asked.present, symbol, moment)
        decimals = asked.present.instrument(symbol).price_decimals
        return {"symbol": symbol, "price": fixed(int(trade.price[-1]), decimals)}

    return _each(asked, one)


def book(asked: Asked) -> object:
    """Return the best bid and ask of each symbol that is asked for."""

    def one(symbol: str, moment: int) -> dict[str, object]:
        trade = statistics.last_trade(asked.present, symbol, moment)
        return {"symbol": symbol, **statistics.best_quotes(trade, asked.present.instrument(symbol))}

    return _each(asked, one)


def day(asked: Asked) -> object:
    """Return the rolling 24 hours of each symbol that is asked for, in full or ``MINI``."""
    kind = asked.query.text("type") if "type" in asked.query else "FULL"
    if kind not in ("FULL", "MINI"):
        raise errors.invalid_value("type")

    def one(symbol: str, moment: int) -> dict[str, object]:
        found: dict[str, object] = dict(statistics.rolling_day(asked.present, symbol, moment))
        for name in ("openTime", "closeTime"):
            found[name] = int(str(found[name])) * asked.scale
        return found if kind == "FULL" else {name: found[name] for name in _MINI}

    return _each(asked, one)


def average(asked: Asked) -> object:
    """Return the mean price of the last five minutes."""
    symbol = asked.symbol
    moment = asked.present.moment(symbol, asked.now_ms)
    trade = statistics.last_trade(asked.present, symbol, moment)
    return {
        "mins": statistics.AVERAGE_MINUTES,
        "price": statistics.average_price(asked.present, symbol, moment),
        "closeTime": int(trade.time_ms[-1]) * asked.scale,
    }


def _each(asked: Asked, one: Callable[[str, int], dict[str, object]]) -> object:
    symbols, single = asked.symbols()
    found = [one(symbol, asked.present.moment(symbol, asked.now_ms)) for symbol in symbols]
    return found[0] if single else found
