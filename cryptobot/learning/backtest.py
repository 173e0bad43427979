"""A backtest net of costs, long or flat: what following the signals would have been worth.

A signal is known at its candle's close; the position changes at the next candle's open, and
earns from that open to the one after.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.risk import RiskProfile, expected
from cryptobot.learning.signal import BUY, HOLD, SELL

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
    """Figures of one strategy, net of costs, of a capital of one.

    Sharpe and Sortino ratio (against no return at all) and the turnover, the capital traded, are
    those of a year; the exposure is the mean position; trades count entries, and the hit rate is
    the share of them that ended in a gain.
    """

    net_return: float
    sharpe: float
    sortino: float
    max_drawdown: float
    turnover: float
    exposure: float
    trades: int
    hit_rate: float | None

    def document(self) -> dict[str, float | int | None]:
        """Return the figures by name; the return, net like all else, as ``return``."""
        figures = asdict(self)
        return {"return": figures.pop("net_return"), **figures}


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


def sized(long: Floats, sizes: Floats, begins: npt.NDArray[np.bool_]) -> Floats:
    """Return ``long`` with each position as large as ``sizes`` said when it was entered.

    It is not resized while it is held: every change costs.
    """
    rows = np.arange(len(long))
    entered = np.maximum.accumulate(np.where(long > _carried(long, begins), rows, 0))
    return long * sizes[entered]


def profile_position(
    dataset: Dataset, positions: Integers, probabilities: Floats, signals: Integers, profile: RiskProfile
) -> Floats:
    """Return the position of one who follows ``signals`` with this risk aversion.

    A signal's variance is that of the candles of its horizon.
    """
    barriers, market = dataset.barriers, track(dataset, positions)
    volatility = dataset.column(f"realised_{barriers.volatility_span}")[positions].astype(np.float64)
    variance = barriers.horizon * volatility**2
    edge = expected(barriers.width, variance, probabilities[:, BUY] - probabilities[:, SELL])
    long = follow(signals, market.begins, barriers.horizon)
    return sized(long, profile.size(edge, variance), market.begins)


def net_returns(position: Floats, market: Track, costs: Costs) -> Floats:
    """Return what holding ``position`` earns in each candle of ``market``, net of ``costs``."""
    return position * market.returns - _traded(position, market.begins) * costs.rate


def performance(position: Floats, market: Track, costs: Costs) -> Performance:
    """Return the figures of holding ``position`` on ``market``, net of ``costs``."""
    net = net_returns(position, market, costs)
    equity = np.cumprod(1 + net)
    annual = np.sqrt(market.periods_per_year)
    deviation, downside = net.std(), np.sqrt((np.minimum(net, 0.0) ** 2).mean())
    entries = (position > _carried(position, market.begins)).nonzero()[0]
    gains = np.add.reduceat(net, entries) if len(entries) else np.empty(0)
    return Performance(
        net_return=float(equity[-1] - 1),
        sharpe=float(net.mean() / deviation * annual) if deviation > 0 else 0.0,
        sortino=float(net.mean() / downside * annual) if downside > 0 else 0.0,
        max_drawdown=float((equity / np.maximum.accumulate(np.maximum(equity, 1.0)) - 1).min()),
        turnover=float(_traded(position, market.begins).mean() * market.periods_per_year),
        exposure=float(position.mean()),
        trades=len(entries),
        hit_rate=float((gains > 0).mean()) if len(gains) else None,
    )


def baseline_positions(dataset: Dataset, positions: Integers) -> dict[str, Floats]:
    """Return the positions of those who always hold (never in the market), follow momentum, buy and hold.

    Momentum is of 24 candles.
    """
    return {
        "always_hold": np.zeros(len(positions)),
        "momentum": (dataset.column("return_24")[positions] > 0).astype(np.float64),
        "buy_and_hold": np.ones(len(positions)),
    }


def baselines(dataset: Dataset, positions: Integers, costs: Costs) -> dict[str, Performance]:
    """Return the figures of each of :func:`baseline_positions`."""
    market = track(dataset, positions)
    return {
        name: performance(position, market, costs)
        for name, position in baseline_positions(dataset, positions).items()
    }


def _carried(position: Floats, begins: npt.NDArray[np.bool_]) -> Floats:
    """Return the position held before each row's change: none where rows begin anew."""
    return np.where(begins, 0.0, np.concatenate([[0.0], position[:-1]])[: len(position)])


def _traded(position: Floats, begins: npt.NDArray[np.bool_]) -> Floats:
    """Return how much each row trades, leaving the market before a hole and at the end included."""
    ends = np.concatenate([begins[1:], [True]])
    return np.abs(position - _carried(position, begins)) + np.where(ends, position, 0.0)
