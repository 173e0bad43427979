"""Trades that add up exactly to their candle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.exchange.bars import MINUTE_MS, Bars
from infra.exchange.fills import trades_of
from infra.exchange.record_files import read_folder
from infra.exchange.synthetic import SyntheticMarket
from infra.exchange.trades import Trades, agg_counts, aggregates

OPEN_MS = 1_700_000_040_000


def assert_adds_up(trades: Trades, bars: Bars, row: int = 0) -> None:
    quote, bought = trades.price * trades.quantity, ~trades.buyer_is_maker
    assert len(trades) == bars.trades[row]
    assert trades.quantity.sum() == bars.volume[row]
    assert quote.sum() == bars.quote[row]
    assert trades.quantity[bought].sum() == bars.taker_base[row]
    assert quote[bought].sum() == bars.taker_quote[row]
    assert trades.price[0] == bars.open[row]
    assert trades.price[-1] == bars.close[row]
    assert trades.price.max() == bars.high[row]
    assert trades.price.min() == bars.low[row]
    assert trades.quantity.min() > 0
    assert (np.diff(trades.time_ms) >= 0).all()
    assert bars.open_ms[row] <= trades.time_ms[0]
    assert trades.time_ms[-1] <= bars.close_ms[row]
    assert trades.trade_id.tolist() == list(range(trades.trade_id[0], trades.trade_id[0] + len(trades)))
    assert np.unique(trades.agg_id).tolist() == list(
        range(bars.first_agg[row], bars.first_agg[row] + bars.aggs[row])
    )


@st.composite
def candles(draw: st.DrawFn) -> Bars:
    """Candles that some trades made: so there is at least one way to make them."""
    count = draw(st.integers(20, 400))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    width = draw(st.sampled_from([0, 1, 3, 50, 20_000]))
    price = rng.integers(100_000, 100_001 + width, count)
    quantity = rng.integers(1, draw(st.sampled_from([3, 100, 10_000])), count) + 2
    bought = rng.random(count) < draw(st.sampled_from([0.2, 0.5, 0.9]))
    counts = np.array([count])
    values = {
        "open_ms": OPEN_MS, "close_ms": OPEN_MS + MINUTE_MS - 1,
        "open": price[0], "high": price.max(), "low": price.min(), "close": price[-1],
        "volume": quantity.sum(), "quote": price @ quantity, "trades": count,
        "taker_base": quantity[bought].sum(), "taker_quote": price[bought] @ quantity[bought],
        "first_trade": 501, "first_agg": 77, "aggs": agg_counts(counts)[0],
    }  # fmt: skip
    return Bars(**{name: np.array([value], np.int64) for name, value in values.items()})


@settings(max_examples=150, deadline=None)
@given(candles(), st.integers(0, 5))
def test_the_trades_of_any_candle_add_up_to_it(bars: Bars, seed: int) -> None:
    assert_adds_up(trades_of(bars, 0, np.random.default_rng(seed)), bars)


def test_the_trades_of_recorded_candles_add_up_to_them(shared_data: Path) -> None:
    for _, recorded in read_folder(shared_data / "klines").values():
        for bars in recorded.values():
            rows = range(0, len(bars), max(1, len(bars) // 60)) if bars.trades.max() < 50_000 else range(3)
            for row in rows:
                assert_adds_up(trades_of(bars, row, np.random.default_rng(row)), bars, row)


def test_the_trades_of_synthetic_candles_add_up_to_them(market: SyntheticMarket) -> None:
    bars = market.finest("ETHUSDT", OPEN_MS, OPEN_MS + 100 * MINUTE_MS)
    for row in range(len(bars)):
        assert_adds_up(trades_of(bars, row, market.rng("ETHUSDT", int(bars.open_ms[row]))), bars, row)


@pytest.mark.parametrize("count", [1, 2])
def test_a_candle_of_hardly_any_trades(count: int) -> None:
    values = dict.fromkeys(Bars.__slots__, 5) | {
        "open_ms": OPEN_MS, "close_ms": OPEN_MS + MINUTE_MS - 1, "volume": 30, "trades": count, "aggs": count,
        "taker_base": 30, "open": 10, "high": 12 if count == 2 else 10, "low": 10,
        "close": 12 if count == 2 else 10, "quote": 320 if count == 2 else 300,
        "taker_quote": 320 if count == 2 else 300,
    }  # fmt: skip
    bars = Bars(**{name: np.array([value], np.int64) for name, value in values.items()})
    assert_adds_up(trades_of(bars, 0, np.random.default_rng(1)), bars)


def test_a_candle_without_trades_has_none(market: SyntheticMarket) -> None:
    bars = market.finest("BTCUSDT", OPEN_MS, OPEN_MS + 1)
    quiet = Bars(*(column * 0 for column in bars.columns()))
    assert len(trades_of(quiet, 0, np.random.default_rng(1))) == 0


def test_an_aggregate_is_of_one_price_time_and_side(market: SyntheticMarket) -> None:
    bars = market.finest("BTCUSDT", OPEN_MS, OPEN_MS + 1)
    trades = trades_of(bars, 0, market.rng("BTCUSDT", OPEN_MS))
    found = aggregates(trades)
    assert len(found) < len(trades)
    assert found.quantity.sum() == trades.quantity.sum()
    for row in range(len(found)):
        inside = (trades.trade_id >= found.first_trade[row]) & (trades.trade_id <= found.last_trade[row])
        assert set(trades.agg_id[inside]) == {found.agg_id[row]}
        assert len(set(trades.price[inside])) == len(set(trades.time_ms[inside])) == 1
        assert len(set(trades.buyer_is_maker[inside])) == 1
