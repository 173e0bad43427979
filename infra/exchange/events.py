"""Stream events as bytes: WebSocket frames that are made once for all who listen."""

from __future__ import annotations

from typing import Any

import orjson

from infra.exchange.bars import Bars
from infra.exchange.instruments import Instrument
from infra.exchange.rendering import Choice, Fixed, Integer, Lines, Part, fixed, lines
from infra.exchange.statistics import best_quotes
from infra.exchange.subscription import Stream
from infra.exchange.trades import Aggregates, Trades

Day = dict[str, str | int]


def frame(payload: bytes) -> bytes:
    """Return an unmasked WebSocket text frame of ``payload``."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def event_frame(stream: Stream, event: object) -> bytes:
    """Return one event of ``stream`` as a frame."""
    return frame(orjson.dumps({"stream": stream.name, "data": event} if stream.wrapped else event))


def trades(found: Trades, rows: slice, instrument: Instrument, stream: Stream) -> Lines:
    """Render ``<symbol>@trade`` events as frames, one a trade of ``rows``."""
    times = Integer(found.time_ms[rows] * stream.scale)
    parts: list[Part] = [
        b'{"e":"trade","E":', times,
        f',"s":"{instrument.symbol}","t":'.encode(), Integer(found.trade_id[rows]),
        b',"p":"', Fixed(found.price[rows], instrument.price_decimals),
        b'","q":"', Fixed(found.quantity[rows], instrument.quantity_decimals),
        b'","T":', times,
        b',"m":', Choice(found.buyer_is_maker[rows], b"true", b"false"),
        b',"M":true}',
    ]  # fmt: skip
    return _frames(stream, parts, len(times.values))


def aggregates(found: Aggregates, rows: slice, instrument: Instrument, stream: Stream) -> Lines:
    """Render ``<symbol>@aggTrade`` events as frames, one an aggregate of ``rows``."""
    times = Integer(found.time_ms[rows] * stream.scale)
    parts: list[Part] = [
        b'{"e":"aggTrade","E":', times,
        f',"s":"{instrument.symbol}","a":'.encode(), Integer(found.agg_id[rows]),
        b',"p":"', Fixed(found.price[rows], instrument.price_decimals),
        b'","q":"', Fixed(found.quantity[rows], instrument.quantity_decimals),
        b'","f":', Integer(found.first_trade[rows]),
        b',"l":', Integer(found.last_trade[rows]),
        b',"T":', times,
        b',"m":', Choice(found.buyer_is_maker[rows], b"true", b"false"),
        b',"M":true}',
    ]  # fmt: skip
    return _frames(stream, parts, len(times.values))


def kline(bars: Bars, instrument: Instrument, stream: Stream, now_ms: int, *, closed: bool) -> dict[str, Any]:
    """Return the kline event of the last of ``bars``."""
    bar = {name: int(column[-1]) for name, column in zip(Bars.__slots__, bars.columns(), strict=True)}
    price, quantity, quote = (
        instrument.price_decimals,
        instrument.quantity_decimals,
        instrument.quote_decimals,
    )
    return {
        "e": "kline",
        "E": now_ms * stream.scale,
        "s": instrument.symbol,
        "k": {
            "t": bar["open_ms"] * stream.scale,
            "T": (bar["close_ms"] + 1) * stream.scale - 1,
            "s": instrument.symbol,
            "i": str(stream.interval),
            "f": bar["first_trade"] if bar["trades"] else -1,
            "L": bar["first_trade"] + bar["trades"] - 1 if bar["trades"] else -1,
            "o": fixed(bar["open"], price),
            "c": fixed(bar["close"], price),
            "h": fixed(bar["high"], price),
            "l": fixed(bar["low"], price),
            "v": fixed(bar["volume"], quantity),
            "n": bar["trades"],
            "x": closed,
            "q": fixed(bar["quote"], quote),
            "V": fixed(bar["taker_base"], quantity),
            "Q": fixed(bar["taker_quote"], quote),
            "B": "0",
        },
    }


def mini_ticker(day: Day, scale: int) -> dict[str, Any]:
    """Return the ``24hrMiniTicker`` event of the fields of ``ticker/24hr``."""
    return {
        "e": "24hrMiniTicker",
        "E": int(day["closeTime"]) * scale,
        "s": day["symbol"],
        "c": day["lastPrice"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
    }


def ticker(day: Day, scale: int) -> dict[str, Any]:
    """Return the ``24hrTicker`` event of the fields of ``ticker/24hr``."""
    return {
        "e": "24hrTicker",
        "E": int(day["closeTime"]) * scale,
        "s": day["symbol"],
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "x": day["prevClosePrice"],
        "c": day["lastPrice"],
        "Q": day["lastQty"],
        "b": day["bidPrice"],
        "B": day["bidQty"],
        "a": day["askPrice"],
        "A": day["askQty"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "O": int(day["openTime"]) * scale,
        "C": int(day["closeTime"]) * scale,
        "F": day["firstId"],
        "L": day["lastId"],
        "n": day["count"],
    }


def book_ticker(trade: Trades, instrument: Instrument) -> dict[str, Any]:
    """Return the bookTicker event as the last of ``trade`` leaves the book."""
    best = best_quotes(trade, instrument)
    return {
        "u": int(trade.trade_id[-1]),
        "s": instrument.symbol,
        "b": best["bidPrice"],
        "B": best["bidQty"],
        "a": best["askPrice"],
        "A": best["askQty"],
    }


def _frames(stream: Stream, parts: list[Part], count: int) -> Lines:
    if stream.wrapped:
        parts = [f'{{"stream":"{stream.name}","data":'.encode(), *parts, b"}"]
    return lines(parts, count, framed=True)
