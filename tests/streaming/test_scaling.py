"""Sinks come and go under load: every trade is stored, and clean changes read nothing twice."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer

from cryptobot.market import topics
from cryptobot.settings import Settings
from cryptobot.storage.collections import STREAMING_DATA
from streaming.documents import wrap
from streaming.kafka_watch import consumer_lag
from tests.servers import wait_until
from tests.streaming.conftest import Starter
from tests.streaming.feed import RECEIVED_MS, trade
from tests.streaming.test_live_path import Documents, await_trades, publish, stored_ids

SYMBOLS = 9
RATE = 2_000
"""Trades a second, of all symbols together."""


class Load:
    """Publishes trades of nine symbols, round robin, at a steady rate until it is told to end."""

    def __init__(self, bootstrap: str, symbol: str) -> None:
        self.symbols = [f"{number}{symbol}" for number in range(SYMBOLS)]
        self.published = 0
        self._bootstrap = bootstrap
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join(20)

    def ids(self, symbol: str) -> range:
        position = self.symbols.index(symbol)
        return range((self.published - position + SYMBOLS - 1) // SYMBOLS)

    def _publish(self) -> None:
        began = time.monotonic()
        with KafkaProducer(bootstrap_servers=self._bootstrap, linger_ms=5) as producer:
            while not self._ending.wait(0.01):
                due = int((time.monotonic() - began) * RATE)
                for number in range(self.published, due):
                    symbol = self.symbols[number % SYMBOLS]
                    frame = trade(symbol, number // SYMBOLS).encode()
                    producer.send(topics.TRADES, wrap(frame, RECEIVED_MS), symbol.encode())
                self.published = due
            producer.flush()


@contextmanager
def loading(settings: Settings, symbol: str) -> Iterator[Load]:
    """Publish until the block ends."""
    load = Load(settings.kafka_bootstrap, symbol)
    try:
        yield load
    finally:
        load.end()


@pytest.fixture(autouse=True)
def _nothing_waits(live_settings: Settings, database: Documents, start: Starter, tmp_path: Path) -> None:
    """Let a sink take what other tests left in the topics, so that messages can be counted."""
    with start("sink"):
        wait_until(lambda: consumer_lag(live_settings)["total"] == 0, limit=45, what="empty topics")
    for log in tmp_path.glob("sink-*.log"):
        log.unlink()
    database[STREAMING_DATA].delete_many({})


def await_stored(database: Documents, load: Load) -> None:
    wait_until(
        lambda: database[STREAMING_DATA].count_documents({"kind": "trade"}) >= load.published,
        limit=60,
        what=f"{load.published} trades",
    )
    for symbol in load.symbols:
        assert stored_ids(database, symbol) == list(load.ids(symbol))


def messages_read(folder: Path) -> int:
    """Return how many messages the sinks that stopped say they took."""
    logs = "".join(log.read_text() for log in folder.glob("sink-*.log"))
    return sum(int(count) for count in re.findall(r"stopped after (\d+) messages", logs))


def at_work(database: Documents) -> int:
    """Return how many sinks report that they took messages."""
    return database.service_health.count_documents({"service": "sink", "detail.messages": {"$gt": 0}})


@pytest.mark.slow
class TestScaling:
    def test_from_one_to_three_and_back_under_load_nothing_is_lost_or_read_twice(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter, tmp_path: Path
    ) -> None:
        with start("sink"), loading(live_settings, symbol) as load:
            wait_until(lambda: at_work(database) == 1, limit=30, what="one sink at work")
            with ExitStack() as more:
                for _ in range(2):
                    more.enter_context(start("sink"))
                wait_until(lambda: at_work(database) == 3, limit=60, what="three sinks at work")
            stored = database[STREAMING_DATA].count_documents({})
            wait_until(
                lambda: database[STREAMING_DATA].count_documents({}) > stored + RATE,
                limit=30,
                what="the first sink going on alone",
            )
            load.end()
            await_stored(database, load)
        assert messages_read(tmp_path) == load.published

    def test_a_frozen_sink_gives_its_partitions_to_another_and_comes_back(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter
    ) -> None:
        with start("sink") as frozen, start("sink"), loading(live_settings, symbol) as load:
            wait_until(lambda: at_work(database) == 2, limit=60, what="two sinks at work")
            frozen.send_signal(signal.SIGSTOP)
            stuck = load.published
            wait_until(
                lambda: all(
                    database[STREAMING_DATA].count_documents({"symbol": name}) > stuck // SYMBOLS
                    for name in load.symbols
                ),
                limit=60,
                what="the other sink with all partitions",
            )
            frozen.send_signal(signal.SIGCONT)
            wait_until(lambda: at_work(database) == 2, limit=60, what="the sink back at work")
            load.end()
            await_stored(database, load)
            assert frozen.poll() is None


class TestStop:
    def test_a_stop_in_mid_stream_finishes_the_batch_and_commits_it(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter, tmp_path: Path
    ) -> None:
        publish(live_settings, [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(30_000)])
        with start("sink"):
            wait_until(lambda: stored_ids(database, symbol), limit=30, what="the first batch")
        stored = len(stored_ids(database, symbol))
        assert 0 < stored < 30_000
        assert messages_read(tmp_path) == stored
        with start("sink"):
            await_trades(database, symbol, range(30_000))
        assert messages_read(tmp_path) == 30_000
