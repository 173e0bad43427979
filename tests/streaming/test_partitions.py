from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cryptobot.settings import Settings
from streaming import partitions
from streaming.documents import wrap
from streaming.partitions import Partitions
from tests.servers import wait_until
from tests.streaming.feed import RECEIVED_MS, trade
from tests.streaming.test_live_path import publish


@contextmanager
def member(settings: Settings) -> Iterator[Partitions]:
    made = Partitions(settings.kafka_bootstrap, 500)
    try:
        yield made
    finally:
        made.close(2_000)


@contextmanager
def polling(group: Partitions, key: bytes) -> Iterator[list[bytes]]:
    """Poll in a thread, which must not fail, until the block ends; yield the values of ``key`` so far."""
    ending = threading.Event()
    taken: list[bytes] = []

    def go_on() -> None:
        while not ending.is_set():
            found = group.poll(100)
            group.saved(found)
            taken.extend(record.value for part in found.values() for record in part if record.key == key)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield taken
        assert thread.is_alive()
    finally:
        ending.set()
        thread.join(5)


def poll_until(group: Partitions, seen: Callable[[list[bytes]], bool], key: bytes) -> list[bytes]:
    """Poll and take all for safe until the values of ``key`` are as expected; return them."""
    values: list[bytes] = []

    def enough() -> bool:
        polled = group.poll(200)
        group.saved(polled)
        values.extend(record.value for part in polled.values() for record in part if record.key == key)
        return seen(values)

    wait_until(enough, limit=30, what="the messages")
    return values


class TestPartitions:
    def test_what_is_safe_is_not_read_by_the_next_and_what_is_not_is(
        self, live_settings: Settings, symbol: str
    ) -> None:
        values = [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(4)]
        publish(live_settings, values[:2])
        with member(live_settings) as first:
            poll_until(first, lambda found: len(found) == 2, symbol.encode())
            publish(live_settings, values[2:])
            wait_until(lambda: first.poll(200), limit=20, what="messages that are never saved")
        with member(live_settings) as second:
            found = poll_until(second, lambda found: values[3] in found, symbol.encode())
        assert found == values[2:]

    def test_one_that_cannot_write_gives_way_and_its_late_commit_does_no_harm(
        self,
        live_settings: Settings,
        symbol: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        key = symbol.encode()
        values = [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(4)]
        monkeypatch.setattr(partitions, "POLL_WITHIN_MS", 2_000)
        with member(live_settings) as stuck:
            publish(live_settings, values[:2])
            polled = wait_until(lambda: stuck.poll(200), limit=20, what="the messages")
            monkeypatch.setattr(partitions, "POLL_WITHIN_MS", 30_000)
            with member(live_settings) as other:
                assert poll_until(other, lambda found: len(found) == 2, key) == values[:2]
                with caplog.at_level(logging.INFO, "streaming.partitions"):
                    stuck.saved(polled)
                    publish(live_settings, values[2:])
                    with polling(stuck, key) as taken:
                        poll_until(
                            other,
                            lambda found: {*found, *taken} == {*values[2:]} and both_hold(caplog),
                            key,
                        )
        assert "the group went on without this sink" in caplog.text


def both_hold(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether two members were told that they have a part of the nine partitions each."""
    return {"holds 4", "holds 5"} <= {message[:7] for message in caplog.messages}
