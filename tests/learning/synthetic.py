"""Data sets of the exchange's synthetic market, with as strong a signal in it as is asked for."""

from __future__ import annotations

import pandas as pd

from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.backtest import Costs
from cryptobot.learning.dataset import Dataset, make_dataset
from cryptobot.learning.evaluation import Evaluation, candidates, evaluate
from cryptobot.learning.gate import Verdict, judge
from cryptobot.learning.search import trials
from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS
from infra.exchange.synthetic import SyntheticMarket

INTERVAL = Interval.MINUTE_15
SYMBOLS = ("BTCUSDT", "ETHUSDT")
_END = 20_454 * DAY_MS  # 2026-01-01


def synthetic(candles: int, strength: float, seed: int) -> Dataset:
    """Return the first symbol's data set, with the second's candles beside it."""
    market = SyntheticMarket(SYMBOLS, seed=seed, signal_strength=strength, trades_per_second=20)
    own, other = (_frame(market, symbol, candles) for symbol in SYMBOLS)
    features = compute(own, other, INTERVAL)
    features.insert(0, "open_time", own["open_time"])
    return make_dataset(SYMBOLS[0], INTERVAL, own, features, FEATURE_SET.names)


def evaluations(dataset: Dataset) -> dict[str, Evaluation]:
    """Return every candidate that the product would learn from the data set, evaluated as it does."""
    predictions, searches = {}, []
    for name, made in ALGORITHMS.items():
        predictions[name] = []
        for fold in dataset.folds:
            search = made.search(dataset, fold.train, 0)
            model = made.fit(dataset, fold.train, search, 0)
            predictions[name].append(model.predict_proba(dataset.rows[fold.test]).astype(float))
        searches.append(search)
    return {
        name: evaluate(dataset, name, folds, Costs(), trials(searches))
        for name, folds in candidates(predictions).items()
    }


def judged(candles: int, strength: float, seed: int) -> dict[str, Verdict]:
    """Return the gate's verdict on every candidate of such a market."""
    found = evaluations(synthetic(candles, strength, seed))
    return {name: judge(evaluation) for name, evaluation in found.items()}


def _frame(market: SyntheticMarket, symbol: str, candles: int) -> pd.DataFrame:
    bars = market.candles(symbol, INTERVAL, _END - candles * INTERVAL.milliseconds, _END)
    instrument = market.instruments[symbol]
    tick, lot = 10.0**-instrument.price_decimals, 10.0**-instrument.quantity_decimals
    return pd.DataFrame(
        {
            "open_time": pd.to_datetime(bars.open_ms, unit="ms", utc=True),
            **{name: getattr(bars, name) * tick for name in ("open", "high", "low", "close")},
            "volume": bars.volume * lot,
            "quote_volume": bars.quote * (tick * lot),
            "trades": bars.trades,
            "taker_buy_base": bars.taker_base * lot,
            "taker_buy_quote": bars.taker_quote * (tick * lot),
        }
    )
