"""Stream events as bytes: WebSocket frames that are made once for all who listen."""

from __future__ import annotations

from typing import Any

import orjson

from cryptobot.market import Interval
from infra.exchange.bars import Bars
from infra.exchange.fills import Trades
from infra.exchange.instruments import Instrument
from infra.exchange.rendering import Choice, Fixed, Integer, Lines, Part, fixed, lines


def frame(payload: bytes) -> bytes:
    """Return an unmasked WebSocket text frame of ``payload``."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def trade_frames(trades: Trades, instrument: Instrument, *, wrapped: bool, scale: int) -> Lines:
    """Render ``<symbol>@trade`` events as frames, one a trade."""
    symbol = instrument.symbol
    return _frames(
        f"{symbol.lower()}@trade",
        [
            b'{"e":"trade","E":', Integer(trades.time_ms * scale),
            f',"s":"{symbol}","t":'.encode(), Integer(trades.trade_id),
            b',"p":"', Fixed(trades.price, instrument.price_decimals),
            b'","q":"', Fixed(trades.quantity, instrument.quantity_decimals),
            b'","T":', Integer(trades.time_ms * scale),
            b',"m":', Choice(trades.buyer_is_maker, b"true", b"false"),
            b',"M":true}',
        ],
        len(trades),
        wrapped,
    )  # fmt: skip


def _frames(stream: str, parts: list[Part], count: int, wrapped: bool) -> Lines:
    if wrapped:
        parts = [f'{{"stream":"{stream}","data":'.encode(), *parts, b"}"]
    return lines(parts, count, framed=True)


def event_frame(stream: str, event: dict[str, Any], *, wrapped: bool) -> bytes:
    """Return one event as a frame."""
    return frame(orjson.dumps({"stream": stream, "data": event} if wrapped else event))


def kline_event(
    bars: Bars, instrument: Instrument, interval: Interval, now_ms: int, *, closed: bool, scale: int
) -> dict[str, Any]:
    """Return the kline event of the last of ``bars``."""
    bar = {name: int(column[-1]) for name, column in zip(Bars.__slots__, bars.columns(), strict=True)}
    price, quantity, quote = (
        instrument.price_decimals,
        instrument.quantity_decimals,
        instrument.quote_decimals,
    )
    return {
        "e": "kline",
        "E": now_ms * scale,
        "s": instrument.symbol,
        "k": {
            "t": bar["open_ms"] * scale,
            "T": (bar["close_ms"] + 1) * scale - 1,
            "s": instrument.symbol,
            "i": interval.value,
            "f": bar["first_trade"],
            "L": bar["first_trade"] + bar["trades"] - 1,
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


def mini_ticker_event(day: Bars, instrument: Instrument, now_ms: int, scale: int) -> dict[str, Any]:
    """Return the miniTicker event of the one candle ``day`` that spans 24 hours."""
    return {
        "e": "24hrMiniTicker",
        "E": now_ms * scale,
        "s": instrument.symbol,
        "c": fixed(int(day.close[0]), instrument.price_decimals),
        "o": fixed(int(day.open[0]), instrument.price_decimals),
        "h": fixed(int(day.high[0]), instrument.price_decimals),
        "l": fixed(int(day.low[0]), instrument.price_decimals),
        "v": fixed(int(day.volume[0]), instrument.quantity_decimals),
        "q": fixed(int(day.quote[0]), instrument.quote_decimals),
    }
