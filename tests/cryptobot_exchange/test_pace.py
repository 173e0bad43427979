"""The pace: alone, in threads, and among processes that know nothing of each other."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from cryptobot.exchange.pace import SHARE, USED_WEIGHT, Pace
from tests.exchange_server import running_exchange
from tests.servers import wait_until

LIMIT = 240


def headers(used: int, minute: int = 0, second: int = 30) -> dict[str, str]:
    return {USED_WEIGHT: str(used), "Date": f"Thu, 01 Jan 2026 00:{minute:02d}:{second:02d} GMT"}


def answered(pace: Pace, used: int, minute: int = 0, second: int = 30) -> None:
    with pace.turn(2) as turn:
        turn.answered(headers(used, minute, second))


class TestAlone:
    def test_waits_for_the_next_minute_where_the_budget_is_used(self) -> None:
        waits: list[float] = []
        pace = Pace(LIMIT, waits.append)
        answered(pace, int(LIMIT * SHARE) - 1)
        assert waits == []
        answered(pace, 2, minute=1)
        (waited,) = waits
        assert 29 < waited < 30.5

    def test_what_was_never_answered_counts_as_used(self) -> None:
        waits: list[float] = []
        pace = Pace(LIMIT, waits.append)
        answered(pace, int(LIMIT * SHARE) - 3)
        with pytest.raises(OSError, match="cut"), pace.turn(2):
            raise OSError("cut")
        answered(pace, 2, minute=1)
        assert len(waits) == 1

    def test_a_late_answer_of_an_earlier_minute_is_not_believed(self) -> None:
        waits: list[float] = []
        pace = Pace(LIMIT, waits.append)
        answered(pace, 10, minute=5)
        answered(pace, LIMIT, minute=4)
        answered(pace, 14, minute=5)
        assert waits == []

    def test_a_refusal_holds_every_request(self) -> None:
        waits: list[float] = []
        pace = Pace(LIMIT, waits.append)
        answered(pace, 10)
        pace.hold(7)
        answered(pace, 12)
        answered(pace, 14)
        (waited,) = waits
        assert 6.9 < waited < 7.5


class TestThreads:
    def most_at_once(self, pace: Pace, requests: int) -> int:
        """Return how many of so many requests, each from a thread of its own, were under way at once."""
        lock, under_way, most = threading.Lock(), 0, 0
        arrived = threading.Event()

        def ask(number: int) -> None:
            nonlocal under_way, most
            with pace.turn(2) as turn:
                with lock:
                    under_way += 1
                    most = max(most, under_way)
                    if under_way == requests:
                        arrived.set()
                arrived.wait(0.05)
                with lock:
                    under_way -= 1
                turn.answered(headers(int(pace._used) + 2))

        with ThreadPoolExecutor(requests) as pool:
            list(pool.map(ask, range(requests)))
        return most

    def test_the_first_request_goes_alone_and_then_several(self) -> None:
        pace = Pace(6_000)
        answered(pace, 100)
        assert self.most_at_once(pace, 4) == 4

    def test_near_the_limit_one_goes_at_a_time(self) -> None:
        pace = Pace(6_000)
        answered(pace, 5_600)
        assert self.most_at_once(pace, 4) == 1

    def test_with_nothing_known_one_finds_out(self) -> None:
        pace = Pace(6_000)
        order: list[str] = []
        first_left, go_on = threading.Event(), threading.Event()

        def first() -> None:
            with pace.turn(2) as turn:
                first_left.set()
                go_on.wait(5)
                order.append("first answered")
                turn.answered(headers(2))

        def second() -> None:
            first_left.wait(5)
            with pace.turn(2) as turn:
                order.append("second left")
                turn.answered(headers(4))

        threads = [threading.Thread(target=task) for task in (first, second)]
        for thread in threads:
            thread.start()
        assert first_left.wait(5)
        go_on.set()
        for thread in threads:
            thread.join(5)
        assert order == ["first answered", "second left"]


@pytest.mark.slow
def test_processes_share_the_limit_and_are_never_refused() -> None:
    """Three processes want all they can get, over the turn of a minute of the exchange."""
    turn = (time.time() // 60 + 1) * 60
    if turn - time.time() < 15:  # too late to use this minute up
        wait_until(lambda: time.time() > turn, limit=20, what="the next minute")
        turn += 60
    with running_exchange(EXCHANGE_WEIGHT_LIMIT=str(LIMIT)) as url:
        command = [sys.executable, "-m", "tests.cryptobot_exchange.greedy_reader", url, str(LIMIT)]
        readers = [
            subprocess.Popen([*command, str(turn + 10)], stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        answers = [
            line.split() for reader in readers for line in reader.communicate(timeout=90)[0].splitlines()
        ]
    used: dict[str, int] = defaultdict(int)
    for minute, _, weight in answers:
        used[minute] = max(used[minute], int(weight))
    assert {status for _, status, _ in answers} == {"200"}
    assert len(used) == 2
    assert all(0.9 * LIMIT <= most <= LIMIT for most in used.values()), used
