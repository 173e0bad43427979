"""The producer: the exchange's WebSocket streams into Kafka, every event as it came."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from datetime import UTC, datetime

import orjson
import uvloop

from cryptobot.exchange.stream import MarketStream, stream_names
from cryptobot.market import topics
from cryptobot.settings import Settings, settings
from streaming.broker import Publisher
from streaming.documents import wrap
from streaming.service import Heartbeat, Pulse, start_logging

log = logging.getLogger(__name__)

_TOPICS = {"trade": topics.TRADES, "kline": topics.KLINES, "24hrMiniTicker": topics.TICKERS}
_SILENT_S = 30.0
_FLUSH_S = 3.0


class Producer:
    """Routes each frame to its topic, keyed by symbol; what cannot be routed is a dead letter."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self._publisher = publisher
        self._messages = 0
        self._dead_letters = 0
        self._last_event_ms = 0
        self._started_ms = time.time_ns() // 1_000_000
        self.stream = MarketStream(
            settings.stream_url, stream_names(settings.symbols, settings.intervals), self.deliver
        )

    async def deliver(self, frame: bytes) -> None:
        """Publish one frame; waits while Kafka is away and the memory for it is used up."""
        while self._publisher.full:  # noqa: ASYNC110 - another thread makes the room
            await asyncio.sleep(0.05)
        now_ms = time.time_ns() // 1_000_000
        try:
            event = orjson.loads(frame)["data"]
            topic, key = _TOPICS[event["e"]], event["s"].encode()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            headers = [("reason", reason.encode()), ("topic", b"exchange")]
            self._publisher.publish(topics.DEAD_LETTER, frame, headers=headers)
            self._dead_letters += 1
            return
        self._publisher.publish(topic, wrap(frame, now_ms), key)
        self._messages += 1
        self._last_event_ms = now_ms

    def pulse(self) -> Pulse:
        """Return how the producer is; silence of the exchange is a problem."""
        last = self._last_event_ms
        silence_s = (time.time_ns() // 1_000_000 - max(last, self._started_ms)) / 1000
        return Pulse(
            messages=self._messages,
            dead_letters=self._dead_letters,
            reconnects=self.stream.reconnects,
            last_event_at=datetime.fromtimestamp(last / 1000, UTC) if last else None,
            problem=f"no event for {silence_s:.0f} s" if silence_s > _SILENT_S else None,
        )


async def produce(settings: Settings) -> None:
    """Run the producer until SIGTERM or SIGINT; what was read by then reaches Kafka first."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    publisher = Publisher(settings.kafka_bootstrap)
    producer = Producer(settings, publisher)
    heartbeat = Heartbeat("producer", settings, publisher, producer.pulse)
    heartbeat.start()
    log.info("following %s from %s", ", ".join(settings.symbols), settings.stream_url)
    reading = asyncio.create_task(producer.stream.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
    reading.cancel()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    finally:
        await asyncio.to_thread(publisher.close, _FLUSH_S)
        await asyncio.to_thread(heartbeat.end)
    log.info("stopped after %d messages", producer.pulse().messages)


def main() -> None:
    """Start the producer (``cryptobot-producer``)."""
    start_logging()
    uvloop.run(produce(settings()))
