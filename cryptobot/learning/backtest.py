"""A backtest net of costs, long or flat: what following the signals would have been worth.

A signal is known at its candle's close; the position changes at the next candle's open, and
earns from that open to the one after.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.signal import BUY, HOLD

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_YEAR_MS = 365 * 86_400_000


@dataclass(frozen=True)
class Costs:
    """What each change of position costs, as a fraction of what is traded."""

    fee: float = 0.001
    slippage: float = 0.0005

    @property
    def rate(self) -> float:
        """Fee and slippage together."""
        return self.fee + self.slippage


@dataclass(frozen=True)
class Performance:
    """Figures of one strategy, net of costs. Ratios are annualised; trades count entries."""

    net_return: float
    sharpe: float
    max_drawdown: float
    exposure: float
    trades: int
    hit_rate: float | None

    def document(self) -> dict[str, float | int | None]:
        """Return the figures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Track:
    """The market under a strategy: the return earned by holding through each row's next candle.

    ``begins`` marks rows that do not follow the one before: no position is carried into them.
    """

    returns: Floats
    begins: npt.NDArray[np.bool_]
    periods_per_year: float


def track(dataset: Dataset, positions: Integers) -> Track:
    """Return the market under the data set's ``positions`` (in time order)."""
    row = dataset.labels.row[positions]
    begins = np.concatenate([[True], np.diff(row) != 1])[: len(row)]
    returns = dataset.open[row + 2] / dataset.open[row + 1] - 1
    return Track(returns, begins, _YEAR_MS / dataset.interval.milliseconds)


def follow(signals: Integers, begins: npt.NDArray[np.bool_], horizon: int) -> Floats:
    """Return the position (1 long, 0 flat) after each row's signal.

    A buy goes long, a sell goes flat; without another buy a position ends after ``horizon``
    candles, the time that the signal was a prediction for.
    """
    rows = np.arange(len(signals))
    event = np.maximum.accumulate(np.where((signals != HOLD) | begins, rows, 0))
    long = (signals[event] == BUY) & (rows - event < horizon)
    return np.asarray(long, dtype=np.float64)


def performance(position: Floats, market: Track, costs: Costs) -> Performance:
    """Return the figures of holding ``position`` on ``market``, net of ``costs``."""
    held_before = np.where(market.begins, 0.0, np.concatenate([[0.0], position[:-1]]))
    ends = np.concatenate([market.begins[1:], [True]])
    turnover = np.abs(position - held_before) + np.where(ends, position, 0.0)
    net = position * market.returns - turnover * costs.rate
    equity = np.cumprod(1 + net)
    deviation = net.std()
    entries = (position > held_before).nonzero()[0]
    gains = np.add.reduceat(net, entries) if len(entries) else np.empty(0)
    return Performance(
        net_return=float(equity[-1] - 1),
        sharpe=float(net.mean() / deviation * np.sqrt(market.periods_per_year)) if deviation > 0 else 0.0,
        max_drawdown=float((equity / np.maximum.accumulate(np.maximum(equity, 1.0)) - 1).min()),
        exposure=float(position.mean()),
        trades=len(entries),
        hit_rate=float((gains > 0).mean()) if len(gains) else None,
    )


def baselines(dataset: Dataset, positions: Integers, costs: Costs) -> dict[str, Performance]:
    """Return always hold (never in the market), momentum over 24 candles, and buy and hold."""
    market = track(dataset, positions)
    momentum = (dataset.column("return_24")[positions] > 0).astype(np.float64)
    strategies = {
        "always_hold": np.zeros(len(positions)),
        "momentum": momentum,
        "buy_and_hold": np.ones(len(positions)),
    }
    return {name: performance(position, market, costs) for name, position in strategies.items()}
