"""``trades``, ``historicalTrades`` and ``aggTrades``: trades as JSON rows."""

from __future__ import annotations

from infra.exchange import errors, tape
from infra.exchange.asked import Asked
from infra.exchange.bars import HOUR_MS
from infra.exchange.rendering import Choice, Fixed, Integer, lines
from infra.exchange.trades import Trades, aggregates

RECENT = frozenset({"symbol", "limit"})
HISTORICAL = frozenset({"symbol", "limit", "fromId"})
AGGREGATE = frozenset({"symbol", "fromId", "startTime", "endTime", "limit"})


def recent(asked: Asked) -> bytes:
    """Return the newest trades; or those from ``fromId`` on."""
    symbol, limit, first = asked.symbol, asked.query.limit(500, 1000), asked.query.integer("fromId")
    if first is None:
        trades = tape.newest(asked.present, symbol, asked.now_ms, limit, aggregate=False)
    else:
        trades = tape.from_id(asked.present, symbol, first, asked.now_ms, limit, aggregate=False)
    return _trades(asked, trades)


def aggregate(asked: Asked) -> bytes:
    """Return aggregate trades: the newest, those from ``fromId`` on, or those of a range of time."""
    query, symbol, present = asked.query, asked.symbol, asked.present
    limit, first = query.limit(500, 1000), query.integer("fromId")
    start, end = query.time_ms("startTime", up=True), query.time_ms("endTime")
    if first is not None and (start is not None or end is not None):
        raise errors.bad_combination()
    if start is not None and end is not None and end - start > HOUR_MS:
        raise errors.too_wide()
    until = asked.now_ms if end is None else min(end, asked.now_ms)
    if first is not None:
        trades = tape.from_id(present, symbol, first, until, limit, aggregate=True)
    elif start is not None:
        trades = tape.between(present, symbol, start, until, limit)
    else:
        trades = tape.newest(present, symbol, until, limit, aggregate=True)
    return _aggregates(asked, trades)


def _trades(asked: Asked, trades: Trades) -> bytes:
    instrument = asked.instrument
    quote = trades.price * trades.quantity
    rows = lines(
        [
            b'{"id":', Integer(trades.trade_id),
            b',"price":"', Fixed(trades.price, instrument.price_decimals),
            b'","qty":"', Fixed(trades.quantity, instrument.quantity_decimals),
            b'","quoteQty":"', Fixed(quote, instrument.quote_decimals),
            b'","time":', Integer(trades.time_ms * asked.scale),
            b',"isBuyerMaker":', Choice(trades.buyer_is_maker, b"true", b"false"),
            b',"isBestMatch":true},',
        ],
        len(trades),
    )  # fmt: skip
    return b"[" + rows.data[:-1] + b"]"


def _aggregates(asked: Asked, trades: Trades) -> bytes:
    if not len(trades):
        return b"[]"
    instrument, found = asked.instrument, aggregates(trades)
    rows = lines(
        [
            b'{"a":', Integer(found.agg_id),
            b',"p":"', Fixed(found.price, instrument.price_decimals),
            b'","q":"', Fixed(found.quantity, instrument.quantity_decimals),
            b'","f":', Integer(found.first_trade),
            b',"l":', Integer(found.last_trade),
            b',"T":', Integer(found.time_ms * asked.scale),
            b',"m":', Choice(found.buyer_is_maker, b"true", b"false"),
            b',"M":true},',
        ],
        len(found),
    )  # fmt: skip
    return b"[" + rows.data[:-1] + b"]"
