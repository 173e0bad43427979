"""Kafka's market messages as documents of ``streaming_data``."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from cryptobot.market import Kline, Ticker, Trade
from cryptobot.market.instant import from_ms
from cryptobot.storage.database import Document


class BrokenMessageError(ValueError):
    """A message that will never become a document, however often it is read."""


def wrap(frame: bytes, received_ms: int) -> bytes:
    """Return the exchange's frame, a JSON object, with ``received_at`` as its last field."""
    return b'%b,"received_at":%d}' % (frame.rstrip()[:-1], received_ms)


def document(value: bytes) -> Document | None:
    """Return the document of a market message, or ``None`` for a candle that is still open.

    Raises
    ------
    BrokenMessageError
        When the message is not JSON, or lacks what its kind must hold.
    """
    try:
        message = orjson.loads(value)
        event = message["data"]
        kind = event["e"]
        received = from_ms(message["received_at"])
        if kind == "trade":
            trade = Trade.from_stream(event)
            return {
                "_id": f"trade|{trade.symbol}|{trade.trade_id}",
                "kind": "trade",
                "symbol": trade.symbol,
                "trade_id": trade.trade_id,
                "price": trade.price,
                "quantity": trade.quantity,
                "buyer_is_maker": trade.buyer_is_maker,
                "event_time": trade.event_time,
                "received_at": received,
            }
        if kind == "kline":
            if event["k"]["x"] is not True:
                return None
            kline = Kline.from_stream(event["k"])
            fields = {**asdict(kline), "interval": kline.interval.value}
            return {"_id": f"kline|{kline.key}", "kind": "kline", **fields, "received_at": received}
        if kind == "24hrMiniTicker":
            ticker = Ticker.from_stream(event)
            return {
                "_id": f"ticker|{ticker.symbol}",
                "kind": "ticker",
                **asdict(ticker),
                "received_at": received,
            }
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BrokenMessageError(f"{type(error).__name__}: {error}") from error
    raise BrokenMessageError(f"unknown kind of event: {kind}")
