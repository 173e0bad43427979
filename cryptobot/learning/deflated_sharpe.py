"""The deflated Sharpe ratio: how sure it is that a strategy earns, given how many were tried.

Bailey, López de Prado (2014), *The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting and Non-Normality*, Journal of Portfolio Management 40(5).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NORMAL = NormalDist()
_EULER = float(np.euler_gamma)


def expected_best(trials: int) -> float:
    """Return the expected maximum of ``trials`` independent standard normal values; of one it is 0."""
    if trials <= 1:
        return 0.0
    first, second = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * np.e))
    return (1 - _EULER) * first + _EULER * second


def probabilistic_sharpe(sharpe: float, benchmark: float, count: int, skew: float, kurtosis: float) -> float:
    """Return the probability that a Sharpe ratio estimated from ``count`` returns exceeds ``benchmark``.

    Both ratios are those of a period; ``kurtosis`` is 3 of normal returns.
    """
    # At least 0 by Pearson's inequality, which rounding may hurt.
    spread = max(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2, float(np.finfo(float).eps))
    return float(_NORMAL.cdf((sharpe - benchmark) * np.sqrt((count - 1) / spread)))


def deflated_sharpe(returns: Floats, trials: int) -> float:
    """Return the probability that the Sharpe ratio exceeds the best expected of luck.

    Luck is ``trials`` strategies without an edge, whose ratios differ by the estimate's standard
    error alone: those that were thrown away have none to measure the spread by. Skew and fat tails
    of the returns are allowed for.

    Parameters
    ----------
    returns
        Of one strategy, one a period, not annualised. Fewer than two, or all alike, prove nothing: 0.
    trials
        Among how many strategies this one was picked.
    """
    count, deviation = len(returns), float(returns.std()) if len(returns) else 0.0
    if count < 2 or deviation == 0:
        return 0.0
    standard = (returns - returns.mean()) / deviation
    skew, kurtosis = float((standard**3).mean()), float((standard**4).mean())
    luck = expected_best(trials) / float(np.sqrt(count - 1))
    return probabilistic_sharpe(float(returns.mean()) / deviation, luck, count, skew, kurtosis)
