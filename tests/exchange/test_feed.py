"""The feed, tick by tick: wherever a tick falls, each trade and each closed candle is sent once."""

from __future__ import annotations

import random
import re

import pytest

from infra.exchange.clock import Clock
from infra.exchange.faults import Faults
from infra.exchange.feed import Feed
from infra.exchange.history import History
from infra.exchange.present import Present
from infra.exchange.subscription import parse
from infra.exchange.synthetic import SyntheticMarket

START_MS = 1_767_225_600_000
MINUTES = 3


class Heard:
    """A listener that keeps what it is sent."""

    def __init__(self) -> None:
        self.frames = b""

    def send(self, frames: bytes) -> None:
        self.frames += frames

    def trade_ids(self) -> list[int]:
        return [int(found) for found in re.findall(rb'"t":(\d+),"p"', self.frames)]

    def opened(self, interval: str) -> list[int]:
        pattern = rb'"k":\{"t":(\d+),"T":\d+,"s":"BTCUSDT","i":"' + interval.encode()
        return [int(found) for found in re.findall(pattern, self.frames)]


@pytest.mark.parametrize("steps", [(10,), (1,), (1, 9, 10, 11, 30), (999, 1_001), (70_000,)])
def test_every_trade_and_every_closed_candle_is_sent_once(steps: tuple[int, ...]) -> None:
    market = SyntheticMarket(["BTCUSDT"], seed=83, signal_strength=1, trades_per_second=20)
    feed, heard, chosen = Feed(Present(History(market, 32), Clock()), Faults()), Heard(), random.Random(1)
    for kind in ("trade", "kline_1s", "kline_1m"):
        stream = parse(f"btcusdt@{kind}", wrapped=False, scale=1)
        assert stream is not None
        feed.subscribe(stream, heard)
    at = START_MS
    while at < START_MS + MINUTES * 60_000:
        now = at + chosen.choice(steps)
        feed._advance(at, now, lambda symbol: set())
        at = now
    ids = heard.trade_ids()
    assert len(ids) > 100
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert heard.opened("1s") == list(range(START_MS, at - at % 1_000, 1_000))
    assert heard.opened("1m") == list(range(START_MS, at - at % 60_000, 60_000))
