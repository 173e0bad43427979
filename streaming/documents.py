"""Kafka's market messages as documents of ``streaming_data``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import Any

import orjson

from cryptobot.market import Kline, Ticker
from cryptobot.market.instant import from_ms
from cryptobot.storage.database import Document

STREAM, REST = "stream", "rest"
SOURCES = (STREAM, REST)
"""Whence an event came: as it happened, or by REST to fill a hole."""
_INT64 = 2**63


class BrokenMessageError(ValueError):
    """A message that will never become a document, however often it is read."""


def wrap(frame: bytes, received_ms: int) -> bytes:
    """Return the exchange's frame, a JSON object, with ``received_at`` as its last field."""
    return b'%b,"received_at":%d}' % (frame.rstrip()[:-1], received_ms)


def document(value: bytes) -> Document | None:
    """Return the document of a market message, as :func:`read` does.

    Raises
    ------
    BrokenMessageError
        When the message is not JSON, too.
    """
    try:
        message = orjson.loads(value)
    except ValueError as error:
        raise BrokenMessageError(f"{type(error).__name__}: {error}") from error
    return read(message)


def read(message: Any) -> Document | None:
    """Return the document of a market message, or ``None`` for a candle that is still open.

    Its ``source`` is ``"stream"``, or ``"rest"`` when the event was fetched to fill a hole.

    Raises
    ------
    BrokenMessageError
        When the message lacks what its kind must hold, or holds what cannot be stored.
    """
    try:
        event = message["data"]
        received = from_ms(message["received_at"])
        source = message.get("source", STREAM)
        made = _READERS[event["e"]](event)
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise BrokenMessageError(f"{type(error).__name__}: {error}") from error
    if made is None:
        return None
    if source not in SOURCES:
        raise BrokenMessageError(f"source is {source!r}")
    made["received_at"] = received
    made["source"] = source
    return made


def _trade(event: dict[str, Any]) -> Document:
    """Return a trade's document, made in one step: most messages are trades."""
    symbol, trade_id = event["s"], int(event["t"])
    price, quantity = float(event["p"]), float(event["q"])
    if not (type(symbol) is str and 0 <= trade_id < _INT64 and isfinite(price) and isfinite(quantity)):
        _check({"symbol": symbol, "trade_id": trade_id, "price": price, "quantity": quantity})
    return {
        "_id": f"trade|{symbol}|{trade_id}",
        "kind": "trade",
        "symbol": symbol,
        "trade_id": trade_id,
        "price": price,
        "quantity": quantity,
        "buyer_is_maker": bool(event["m"]),
        "event_time": from_ms(int(event["T"])),
    }


def _kline(event: dict[str, Any]) -> Document | None:
    if event["k"]["x"] is not True:
        return None
    kline = Kline.from_stream(event["k"])
    return _check(
        {
            "_id": f"kline|{kline.key}",
            "kind": "kline",
            **asdict(kline),
            "interval": kline.interval.value,
        }
    )


def _ticker(event: dict[str, Any]) -> Document:
    ticker = Ticker.from_stream(event)
    return _check({"_id": f"ticker|{ticker.symbol}", "kind": "ticker", **asdict(ticker)})


_READERS: dict[str, Callable[[dict[str, Any]], Document | None]] = {
    "trade": _trade,
    "kline": _kline,
    "24hrMiniTicker": _ticker,
}


def _check(made: Document) -> Document:
    for name, part in made.items():
        if isinstance(part, float):
            sound = isfinite(part)
        elif isinstance(part, int):
            sound = 0 <= part < _INT64
        else:
            sound = isinstance(part, str | datetime)
        if not sound:
            raise BrokenMessageError(f"{name} is {part!r}")
    return made
