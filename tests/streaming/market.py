"""Candles of a pair on the wire, and models that score them, for the tests of live signals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kafka import KafkaProducer

from cryptobot.market import topics
from cryptobot.market.instant import to_ms
from cryptobot.settings import Settings
from streaming.documents import wrap
from tests.streaming.feed import RECEIVED_MS

Document = dict[str, Any]


def kline_message(candle: Document, *, closed: bool = True) -> bytes:
    """Return the message of ``market.klines`` that tells of a candle."""
    opened, ended = to_ms(candle["open_time"]), to_ms(candle["close_time"])
    k = {
        "t": opened, "T": ended, "s": candle["symbol"], "i": candle["interval"], "x": closed,
        "o": repr(candle["open"]), "c": repr(candle["close"]), "h": repr(candle["high"]),
        "l": repr(candle["low"]), "v": repr(candle["volume"]), "q": repr(candle["quote_volume"]),
        "n": candle["trades"], "V": repr(candle["taker_buy_base"]), "Q": repr(candle["taker_buy_quote"]),
    }  # fmt: skip
    event = {"e": "kline", "E": ended + 1, "s": candle["symbol"], "k": k}
    stream = f"{candle['symbol'].lower()}@kline_{candle['interval']}"
    return wrap(json.dumps({"stream": stream, "data": event}).encode(), RECEIVED_MS)


def publish_apart(settings: Settings, *candles: Document, closed: bool = True) -> None:
    """Publish a candle to the first partition and another to the last, which two consumers share."""
    with KafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer:
        for candle, partition in zip(candles, (0, topics.PARTITIONS[topics.KLINES] - 1), strict=True):
            message = kline_message(candle, closed=closed)
            producer.send(topics.KLINES, message, candle["symbol"].encode(), partition=partition)
        producer.flush()


def publish_candles(settings: Settings, candles: Iterable[Document]) -> None:
    """Publish closed candles in their order, each keyed by its symbol."""
    with KafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer:
        for candle in candles:
            producer.send(topics.KLINES, kline_message(candle), candle["symbol"].encode())
        producer.flush()
