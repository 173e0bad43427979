"""A campaign of faults against the live path: nothing the exchange issued is lost, and nothing doubled.

At a thousand trades a second, processes are killed, frozen and restarted, connections cut, slowed and
silenced, and the exchange itself misbehaves, one fault after another. In the end the exchange is asked
by REST for all it issued meanwhile, and ``streaming_data`` must hold that and nothing else.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError

from cryptobot.market.instant import from_ms
from cryptobot.storage.collections import GAPS, STREAMING_DATA
from tests.faults.live_path import INTERVALS, SYMBOLS, Fault, LivePath, prepare, running_live_path
from tests.faults.oracle import Oracle
from tests.faults.toxiproxy import Toxiproxy
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

FAULTS = int(os.environ.get("CAMPAIGN_FAULTS", "24"))
TRADES_PER_SECOND = float(os.environ.get("CAMPAIGN_RATE", "1000"))
SHORTEST_S, LONGEST_S = 1.0, 8.0
RECOVERY_S = 60.0
CATCH_UP_S = 120.0


@dataclass(frozen=True)
class Happened:
    """A fault that was, how long it was, and after how long new trades were stored again."""

    name: str
    seconds: float
    recovered_s: float


def test_no_fault_loses_or_doubles_a_trade_or_a_closed_candle(tmp_path: Path, toxiproxy: Toxiproxy) -> None:
    seed = int(os.environ.get("CAMPAIGN_SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nthe seed of this campaign is {seed}; CAMPAIGN_SEED={seed} draws the same faults")
    chosen = random.Random(seed)
    with running_live_path(tmp_path, toxiproxy, 1.2 * TRADES_PER_SECOND) as path:
        prepare(path)
        wait_until(lambda: newest_ms(path) > 0, limit=60, what="the first trades")
        oracle = Oracle(path.exchange_url, path.database, SYMBOLS)
        began = time.monotonic()
        happened = [befall(path, fault, chosen) for fault in path.draw(chosen, FAULTS)]
        until_ms = now_ms()
        passed = time.monotonic() - began
        await_all(path, oracle, until_ms)
        caught_up_s = time.monotonic() - began - passed
        verdict = oracle.judge(until_ms, INTERVALS)
        for one in happened:
            print(f"{one.name:45} {one.seconds:5.1f} s, stored again after {one.recovered_s:5.1f} s")
        ended = {part.name: part.ended_by_itself for part in path.parts if part.ended_by_itself}
        print(f"{len(happened)} faults in {passed:.0f} s, caught up {caught_up_s:.1f} s later: {verdict}")
        print(f"ended by themselves and started again: {ended or 'none'}")
        assert verdict.sound, str(verdict)
        assert verdict.trades >= TRADES_PER_SECOND * passed
        open_gaps = path.database[GAPS].count_documents({"state": "open"})
        assert open_gaps == 0, f"{open_gaps} holes are still open"


def befall(path: LivePath, fault: Fault, chosen: random.Random) -> Happened:
    """Let one fault happen for a while, and wait until trades of after it are stored."""
    seconds = chosen.uniform(SHORTEST_S, LONGEST_S)
    print(f"{time.strftime('%H:%M:%S')} {fault.name} for {seconds:.1f} s", flush=True)
    with fault.begin():
        time.sleep(seconds)  # how long the fault lasts is what is drawn, not a condition
    ended, ended_ms = time.monotonic(), now_ms()
    wait_until(lambda: newest_ms(path) >= ended_ms, limit=RECOVERY_S, what=f"trades after: {fault.name}")
    return Happened(fault.name, seconds, time.monotonic() - ended)


def await_all(path: LivePath, oracle: Oracle, until_ms: int) -> None:
    """Wait until nothing is missing; when that does not come, the verdict will say what is."""
    with suppress(TimeoutError):
        wait_until(
            lambda: newest_ms(path) > until_ms and not oracle.judge(until_ms, INTERVALS).missing,
            limit=CATCH_UP_S,
            what="all that was issued",
            pause=5,
        )
        wait_until(
            lambda: path.database[GAPS].count_documents({"state": "open"}) == 0,
            limit=RECOVERY_S,
            what="no open hole",
        )


def newest_ms(path: LivePath) -> int:
    """Return the time of the oldest of the symbols' newest stored trades; 0: one has none, or no answer."""
    newest = []
    for symbol in SYMBOLS:
        try:
            found = path.database[STREAMING_DATA].find_one(
                {"kind": "trade", "symbol": symbol}, sort=[("trade_id", -1)]
            )
        except PyMongoError:
            return 0
        newest.append(int((found["event_time"] - from_ms(0)).total_seconds() * 1_000) if found else 0)
    return min(newest)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
