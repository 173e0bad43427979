"""Out-of-sample evaluation: everything that a fold is judged with was chosen on folds before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cryptobot.learning.backtest import (
    Costs,
    Performance,
    baselines,
    follow,
    net_returns,
    performance,
    profile_position,
    track,
)
from cryptobot.learning.calibration import Calibration, fit_calibration
from cryptobot.learning.curves import Curves, curves
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.deflated_sharpe import deflated_sharpe
from cryptobot.learning.reliability import Reliability, reliability
from cryptobot.learning.risk import PROFILES, ProfileName
from cryptobot.learning.scores import direction_auc_error, log_loss, scores
from cryptobot.learning.signal import BUY, Thresholds, signals
from cryptobot.learning.splits import before

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

THRESHOLDS = (0.36, 0.40, 0.45, 0.50, 0.55, 0.60)
LEAST_BUY_SHARE = 0.01
MEAN = "mean"
BALANCED: ProfileName = "balanced"
"""The profile that takes the thresholds as they are: its signals are those that are judged."""


@dataclass(frozen=True)
class Evaluation:
    """One candidate, judged on every fold but the first, and what it would be served with.

    ``probabilities`` are those of the rows that were judged, calibrated, ``(n, 3)``. ``profiles``
    are the figures by risk profile, ``strategy`` those of the signals with all of the capital.
    """

    algorithm: str
    metrics: dict[str, Any]
    fold_gains: tuple[float, ...]
    strategy: Performance
    baselines: dict[str, Performance]
    calibration: Calibration
    thresholds: Thresholds
    probabilities: Floats
    reliability: Reliability
    profiles: dict[str, Performance]
    curves: Curves


def candidates(predictions: Mapping[str, Sequence[Floats]]) -> dict[str, list[Floats]]:
    """Return each algorithm's predictions by fold, and their mean where there are several."""
    found = {name: list(folds) for name, folds in predictions.items()}
    if len(found) > 1:
        found[MEAN] = [np.mean(fold, axis=0) for fold in zip(*found.values(), strict=True)]
    return found


def evaluate(
    dataset: Dataset, algorithm: str, predictions: Sequence[Floats], costs: Costs, trials: int = 1
) -> Evaluation:
    """Judge a candidate by its raw predictions, one array a fold of ``dataset.folds``.

    The calibration and the thresholds of a fold come from what was known of the folds before
    it, so the first fold is not judged; those that would be served come from all of them. The
    baseline of the log loss is the share of each class in the fold's training window.

    ``trials`` is among how many models this one was picked, for the deflated Sharpe ratio.
    """
    labels, tests = dataset.labels, [fold.test for fold in dataset.folds]
    raw = np.full((len(labels), 3), np.nan)
    for test, prediction in zip(tests, predictions, strict=True):
        raw[test] = prediction
    judged = np.concatenate(tests[1:])
    forward = _forward(dataset, raw, costs)
    served, signal, truth = forward.served[judged], forward.signals[BALANCED][judged], labels.label[judged]
    reliable = reliability(served, truth, dataset.uniqueness[judged])
    market = track(dataset, judged)
    position = follow(signal, market.begins, dataset.barriers.horizon)
    net = net_returns(position, market, costs)
    held = net_returns(np.ones(len(judged)), market, costs)
    calibration, thresholds = _tuned(dataset, np.concatenate(tests), raw, costs)
    return Evaluation(
        algorithm=algorithm,
        metrics=scores(served, truth, signal)
        | {
            "log_loss_baseline": float(forward.prior.mean()),
            "auc_direction_error": direction_auc_error(truth, dataset.uniqueness[judged]),
            "calibration_error": reliable.error,
            "calibration_error_by_chance": reliable.by_chance,
            "deflated_sharpe": deflated_sharpe(net, trials),
            "rows": len(judged),
        },
        fold_gains=forward.gains,
        strategy=performance(position, market, costs),
        baselines=baselines(dataset, judged, costs),
        calibration=calibration,
        thresholds=thresholds,
        probabilities=served,
        reliability=reliable,
        profiles={
            name: performance(
                profile_position(dataset, judged, served, forward.signals[name][judged], profile),
                market,
                costs,
            )
            for name, profile in PROFILES.items()
        },
        curves=curves(dataset.open_time[judged], net, held),
    )


@dataclass(frozen=True)
class _Forward:
    """Every row (but the first fold's) as it would have been served; ``prior`` of the judged alone."""

    served: Floats
    signals: dict[ProfileName, Integers]
    prior: Floats
    gains: tuple[float, ...]


def _forward(dataset: Dataset, raw: Floats, costs: Costs) -> _Forward:
    labels, tests = dataset.labels, [fold.test for fold in dataset.folds]
    served, priors, gains = raw.copy(), [], []
    given = {name: np.zeros(len(labels), dtype=np.int64) for name in PROFILES}
    for k, test in enumerate(tests[1:], start=1):
        known = before(labels, np.concatenate(tests[:k]), int(labels.row[test[0]]), embargo=0)
        calibration, thresholds = _tuned(dataset, known, raw, costs)
        served[test] = calibration.apply(raw[test])
        for name, profile in PROFILES.items():
            given[name][test] = signals(served[test], profile.thresholds(thresholds))
        train = dataset.folds[k].train
        share = np.bincount(labels.label[train], minlength=3) / len(train)
        prior = log_loss(np.tile(share, (len(test), 1)), labels.label[test])
        priors.append(prior)
        gains.append(float(prior.mean() - log_loss(served[test], labels.label[test]).mean()))
    return _Forward(served, given, np.concatenate(priors), tuple(gains))


def best_candidate(
    dataset: Dataset,
    predictions: Mapping[str, Sequence[Floats]],
    costs: Costs | None = None,
    trials: int | None = None,
) -> tuple[Evaluation, dict[str, float]]:
    """Return the candidate with the least out-of-sample log loss, and every candidate's log loss.

    ``trials`` is among how many models the candidates were picked; unless told, they are all.
    """
    found = candidates(predictions)
    evaluations = [
        evaluate(dataset, name, folds, costs or Costs(), trials or len(found))
        for name, folds in found.items()
    ]
    best = min(evaluations, key=lambda evaluation: evaluation.metrics["log_loss"])
    return best, {judged.algorithm: judged.metrics["log_loss"] for judged in evaluations}


def _tuned(
    dataset: Dataset, positions: Integers, raw: Floats, costs: Costs
) -> tuple[Calibration, Thresholds]:
    calibration = fit_calibration(raw[positions], dataset.labels.label[positions])
    return calibration, choose_thresholds(dataset, positions, calibration.apply(raw[positions]), costs)


def choose_thresholds(dataset: Dataset, positions: Integers, p: Floats, costs: Costs) -> Thresholds:
    """Return the threshold that would have earned most, net of costs, on ``positions``.

    Only those count at which at least one candle in a hundred is a buy; where none is, the
    least. Buy and sell share it.
    """
    market = track(dataset, positions)
    best, most = THRESHOLDS[0], -np.inf
    for threshold in THRESHOLDS:
        signal = signals(p, Thresholds(threshold, threshold))
        if (signal == BUY).mean() < LEAST_BUY_SHARE:
            continue
        earned = performance(
            follow(signal, market.begins, dataset.barriers.horizon), market, costs
        ).net_return
        if earned > most:
            best, most = threshold, earned
    return Thresholds(best, best)
