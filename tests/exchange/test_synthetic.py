"""The synthetic market: reproducible, joined, realistic, and without an edge where none is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, MINUTE_MS, Bars
from infra.exchange.synthetic import FIRST_DAY, SyntheticMarket

DAY = 20_000
NOON = DAY * DAY_MS + DAY_MS // 2


def made(
    seed: int = 7, strength: float = 1.0, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
) -> SyntheticMarket:
    return SyntheticMarket(symbols, seed=seed, signal_strength=strength, trades_per_second=20)


def assert_same(left: Bars, right: Bars) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left.columns(), right.columns(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_seed_gives_the_same_candles_however_they_are_asked_for(market: SyntheticMarket) -> None:
    other = made(symbols=("ETHUSDT", "SOLUSDT", "BTCUSDT"))
    other.candles("BTCUSDT", Interval.DAY_1, (DAY + 40) * DAY_MS, (DAY + 50) * DAY_MS)
    whole = other.candles("BTCUSDT", Interval.MINUTE_1, NOON, NOON + DAY_MS)
    part = market.candles("BTCUSDT", Interval.MINUTE_1, NOON + 50 * MINUTE_MS, NOON + 900 * MINUTE_MS)
    assert_same(whole[50:900], part)


def test_another_seed_gives_another_market(market: SyntheticMarket) -> None:
    mine = market.finest("BTCUSDT", NOON, NOON + DAY_MS)
    assert (mine.close != made(seed=8).finest("BTCUSDT", NOON, NOON + DAY_MS).close).mean() > 0.9


def test_days_join(market: SyntheticMarket) -> None:
    bars = market.finest("ETHUSDT", DAY * DAY_MS, (DAY + 20) * DAY_MS)
    assert len(bars) == 20 * 1_440
    assert np.abs(bars.open[1:] - bars.close[:-1]).max() <= 2
    np.testing.assert_array_equal(bars.first_trade[1:], bars.first_trade[:-1] + bars.trades[:-1])
    np.testing.assert_array_equal(bars.first_agg[1:], bars.first_agg[:-1] + bars.aggs[:-1])


def test_every_candle_is_possible(market: SyntheticMarket) -> None:
    bars = market.finest("BTCUSDT", DAY * DAY_MS, (DAY + 5) * DAY_MS)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.taker_base < bars.volume).all()
    assert (bars.trades >= 12).all()
    assert (bars.low * bars.volume <= bars.quote).all()
    assert (bars.quote <= bars.high * bars.volume).all()


def test_history_begins_and_never_ends(market: SyntheticMarket) -> None:
    first = market.candles("BTCUSDT", Interval.DAY_1, 0, (FIRST_DAY + 2) * DAY_MS)
    assert first.open_ms.tolist() == [FIRST_DAY * DAY_MS, (FIRST_DAY + 1) * DAY_MS]
    assert len(market.finest("BTCUSDT", 30_000 * DAY_MS, 30_001 * DAY_MS)) == 1_440


def test_a_trade_is_found_by_its_id(market: SyntheticMarket) -> None:
    bars = market.finest("BTCUSDT", NOON, NOON + 3 * MINUTE_MS)
    for row in range(3):
        opened = int(bars.open_ms[row])
        assert market.opened_by("BTCUSDT", int(bars.first_trade[row]), aggregate=False) == opened
        last = int(bars.first_agg[row] + bars.aggs[row]) - 1
        assert market.opened_by("BTCUSDT", last, aggregate=True) == opened


@pytest.fixture(scope="module")
def quarters() -> dict[float, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By strength: returns of 400 days' quarters of an hour, taker share before each, ETH's returns."""
    found = {}
    for strength in (0.0, 1.0):
        market = made(strength=strength)
        bars = market.candles("BTCUSDT", Interval.MINUTE_15, DAY * DAY_MS, (DAY + 400) * DAY_MS)
        ether = market.candles("ETHUSDT", Interval.MINUTE_15, DAY * DAY_MS, (DAY + 400) * DAY_MS)
        returns = np.diff(np.log(bars.close))
        found[strength] = (returns, (bars.taker_base / bars.volume)[:-1], np.diff(np.log(ether.close)))
    return found


def test_the_signal_can_be_learned(quarters: dict[float, tuple[np.ndarray, ...]]) -> None:
    returns, share, _ = quarters[1.0]
    assert 0.02 < np.corrcoef(share, returns)[0, 1] < 0.2


def test_without_signal_nothing_foretells_a_return(quarters: dict[float, tuple[np.ndarray, ...]]) -> None:
    returns, share, _ = quarters[0.0]
    noise = 3 / np.sqrt(len(returns))
    assert abs(np.corrcoef(share, returns)[0, 1]) < noise
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 2 * noise


def test_returns_are_like_those_of_a_market(quarters: dict[float, tuple[np.ndarray, ...]]) -> None:
    returns, _, ether = quarters[0.0]
    standard = (returns - returns.mean()) / returns.std()
    assert (standard**4).mean() > 4
    sizes = np.abs(returns)
    assert np.corrcoef(sizes[:-1], sizes[1:])[0, 1] > 0.1
    assert np.corrcoef(returns, ether)[0, 1] > 0.6
