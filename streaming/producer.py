"""The producer: the exchange's WebSocket streams into Kafka, every event as it came, none missing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import uvloop

from cryptobot.exchange.openings import stream_names
from cryptobot.exchange.stream import MarketStream
from cryptobot.market import topics
from cryptobot.settings import Settings, settings
from streaming.broker import Publisher
from streaming.continuity.keeper import Keeper
from streaming.continuity.streams import Streams
from streaming.documents import wrap
from streaming.metrics import counted, measured
from streaming.service import Heartbeat, Pulse, start_logging

log = logging.getLogger(__name__)

_SILENT_S = 30.0
_FLUSH_S = 3.0
_HOLD_S = 0.05
_SWITCH_S = 0.0005
"""Threads that refill holes let the loop go on after so long, not after the 5 ms that Python lets them."""


@dataclass(slots=True)
class ProducerPulse(Pulse):
    """What the producer tells besides."""

    handovers: int = counted("Connections that were replaced as planned.")
    gaps_repaired: int = counted("Holes in the streams that were filled by REST.")
    gaps_absent: int = counted("Holes that the exchange itself could not fill.")
    gaps_open: int | None = measured("Holes that are known and not filled.")
    waiting: int | None = measured("Records that Kafka has not acknowledged.")


class Producer:
    """Routes each frame to its topic, keyed by symbol; what cannot be routed is a dead letter.

    A frame is published and its number taken note of in one step, so that a position never passes what
    was not published.
    """

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self._publisher = publisher
        self._streams = Streams(settings.symbols, settings.intervals)
        self._keys = {symbol: symbol.encode() for symbol in settings.symbols}
        self._messages = 0
        self._bytes = 0
        self._dead_letters = 0
        self._last_event_ms = 0
        self._started_ms = time.time_ns() // 1_000_000
        self.keeper = Keeper(settings, self._streams, publisher)
        self.stream = MarketStream(
            settings.stream_url,
            stream_names(settings.symbols, settings.intervals),
            self.deliver,
            silence_s=settings.stream_silence_seconds,
        )

    def deliver(self, frame: bytes) -> asyncio.Future[None] | None:
        """Publish one frame; returns what to await while Kafka is away and the memory for it used up."""
        now_ms = time.time_ns() // 1_000_000
        self._bytes += len(frame)
        try:
            event = orjson.loads(frame)["data"]
            kind, symbol = event["e"], event["s"]
            key = self._keys[symbol]
            if kind == "trade":
                topic = topics.TRADES
                self._streams.trade(symbol, event)
            elif kind == "kline":
                topic = topics.KLINES
                self._streams.candle(symbol, event)
            elif kind == "24hrMiniTicker":
                topic = topics.TICKERS
                self._streams.clock(symbol, event["E"])
            else:
                self._refuse(frame, f"no topic for events of kind {kind!r}")
                return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._refuse(frame, f"{type(error).__name__}: {error}")
            return None
        self._publisher.publish(topic, wrap(frame, now_ms), key)
        self._messages += 1
        self._last_event_ms = now_ms
        return asyncio.ensure_future(self._room()) if self._publisher.full else None

    def pulse(self) -> ProducerPulse:
        """Return how the producer is; silence of the exchange is a problem."""
        last = self._last_event_ms
        silence_s = (time.time_ns() // 1_000_000 - max(last, self._started_ms)) / 1000
        return ProducerPulse(
            messages=self._messages,
            bytes=self._bytes,
            dead_letters=self._dead_letters,
            reconnects=self.stream.reconnects,
            handovers=self.stream.handovers,
            gaps_repaired=self.keeper.repaired,
            gaps_absent=self.keeper.absent,
            gaps_open=self.keeper.open,
            waiting=self._publisher.waiting,
            last_event_at=datetime.fromtimestamp(last / 1000, UTC) if last else None,
            problem=f"no event for {silence_s:.0f} s" if silence_s > _SILENT_S else None,
        )

    async def _room(self) -> None:
        while self._publisher.full:  # noqa: ASYNC110 - another thread makes the room
            await asyncio.sleep(_HOLD_S)

    def _refuse(self, frame: bytes, reason: str) -> None:
        headers = [("reason", reason.encode()), ("topic", b"exchange")]
        self._publisher.publish(topics.DEAD_LETTER, frame, headers=headers)
        self._dead_letters += 1


async def produce(settings: Settings) -> None:
    """Run the producer until SIGTERM or SIGINT; what was read by then reaches Kafka first."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    publisher = Publisher(settings.kafka_bootstrap)
    producer = Producer(settings, publisher)
    heartbeat = Heartbeat("producer", settings, publisher, producer.pulse)
    heartbeat.start()
    log.info(
        "following %d symbols over %d connections from %s",
        len(settings.symbols),
        producer.stream.connections,
        settings.stream_url,
    )
    work = [asyncio.create_task(producer.stream.run()), asyncio.create_task(producer.keeper.run())]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((*work, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in work:
        task.cancel()
    try:
        for task in work:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    finally:
        await asyncio.to_thread(publisher.flush, _FLUSH_S)
        await asyncio.to_thread(producer.keeper.end)
        await asyncio.to_thread(publisher.close, 0.1)
        await asyncio.to_thread(heartbeat.end)
    log.info("stopped after %d messages", producer.pulse().messages)


def main() -> None:
    """Start the producer (``cryptobot-producer``)."""
    start_logging()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request otherwise
    sys.setswitchinterval(_SWITCH_S)
    uvloop.run(produce(settings()))
