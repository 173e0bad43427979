"""The feed, tick by tick: wherever a tick falls, each trade and each closed candle is sent once."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import numpy as np
import pytest

from infra.exchange.clock import Clock
from infra.exchange.faults import Faults
from infra.exchange.feed import Feed, _Turns
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
        feed._prepare()
        at = now
    ids = heard.trade_ids()
    assert len(ids) > 100
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert heard.opened("1s") == list(range(START_MS, at - at % 1_000, 1_000))
    assert heard.opened("1m") == list(range(START_MS, at - at % 60_000, 60_000))


class CountingMarket(SyntheticMarket):
    """Counts how often the trades of a minute are drawn."""

    drawn = 0

    def rng(self, symbol: str, open_ms: int) -> np.random.Generator:
        self.drawn += 1
        return super().rng(symbol, open_ms)


def test_the_trades_of_a_minute_are_made_before_it_begins() -> None:
    symbols = [f"S{number}USDT" for number in range(5)]
    market = CountingMarket(symbols, seed=83, signal_strength=1, trades_per_second=20)
    feed, heard = Feed(Present(History(market, 32), Clock()), Faults()), Heard()
    for symbol in symbols:
        stream = parse(f"{symbol.lower()}@trade", wrapped=False, scale=1)
        assert stream is not None
        feed.subscribe(stream, heard)
    feed._advance(START_MS, START_MS + 10, lambda symbol: set())
    for _ in range(1 + len(symbols)):
        feed._prepare()
    drawn, heard.frames = market.drawn, b""
    feed._advance(START_MS + 59_990, START_MS + 61_000, lambda symbol: set())
    assert len(heard.trade_ids()) > 10
    assert (drawn, market.drawn) == (2 * len(symbols), drawn)


def test_the_states_of_many_symbols_are_pushed_one_after_another() -> None:
    turns = _Turns([f"S{number}" for number in range(4)])
    ticks = [tick / 100 for tick in range(401)]
    pushed = [
        (tick, symbol)
        for since, tick in pairwise(ticks)
        for symbol in ("S0", "S1", "S2", "S3")
        if "ticker" in turns.due(symbol, since, tick)
    ]
    assert len(pushed) == 16
    assert len({tick for tick, _ in pushed}) == 16
