"""Out-of-sample evaluation: everything that a fold is judged with was chosen on folds before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cryptobot.learning.backtest import Costs, Performance, baselines, follow, performance, track
from cryptobot.learning.calibration import Calibration, fit_calibration
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.scores import direction_auc_error, log_loss, scores
from cryptobot.learning.signal import BUY, Thresholds, signals
from cryptobot.learning.splits import before

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

THRESHOLDS = (0.36, 0.40, 0.45, 0.50, 0.55, 0.60)
LEAST_BUY_SHARE = 0.01
MEAN = "mean"


@dataclass(frozen=True)
class Evaluation:
    """One candidate, judged on every fold but the first, and what it would be served with.

    ``probabilities`` are those of the rows that were judged, calibrated, ``(n, 3)``.
    """

    algorithm: str
    metrics: dict[str, Any]
    fold_gains: tuple[float, ...]
    strategy: Performance
    baselines: dict[str, Performance]
    calibration: Calibration
    thresholds: Thresholds
    probabilities: Floats


def candidates(predictions: Mapping[str, Sequence[Floats]]) -> dict[str, list[Floats]]:
    """Return each algorithm's predictions by fold, and their mean where there are several."""
    found = {name: list(folds) for name, folds in predictions.items()}
    if len(found) > 1:
        found[MEAN] = [np.mean(fold, axis=0) for fold in zip(*found.values(), strict=True)]
    return found


def evaluate(dataset: Dataset, algorithm: str, predictions: Sequence[Floats], costs: Costs) -> Evaluation:
    """Judge a candidate by its raw predictions, one array a fold of ``dataset.folds``.

    The calibration and the thresholds of a fold come from what was known of the folds before
    it, so the first fold is not judged; those that would be served come from all of them. The
    baseline of the log loss is the share of each class in the fold's training window.
    """
    labels, horizon = dataset.labels, dataset.barriers.horizon
    tests = [fold.test for fold in dataset.folds]
    raw = np.full((len(labels), 3), np.nan)
    for test, prediction in zip(tests, predictions, strict=True):
        raw[test] = prediction
    served, signal, baseline, gains = raw.copy(), np.zeros(len(labels), dtype=np.int64), [], []
    for k, test in enumerate(tests[1:], start=1):
        known = before(labels, np.concatenate(tests[:k]), int(labels.row[test[0]]), embargo=0)
        calibration, thresholds = _tuned(dataset, known, raw, costs)
        served[test] = calibration.apply(raw[test])
        signal[test] = signals(served[test], thresholds)
        share = np.bincount(labels.label[dataset.folds[k].train], minlength=3) / len(dataset.folds[k].train)
        prior = log_loss(np.tile(share, (len(test), 1)), labels.label[test])
        baseline.append(prior)
        gains.append(float(prior.mean() - log_loss(served[test], labels.label[test]).mean()))
    judged = np.concatenate(tests[1:])
    truth, market = labels.label[judged], track(dataset, judged)
    metrics = scores(served[judged], truth, signal[judged]) | {
        "log_loss_baseline": float(np.concatenate(baseline).mean()),
        "auc_direction_error": direction_auc_error(truth, dataset.uniqueness[judged]),
        "rows": len(judged),
    }
    calibration, thresholds = _tuned(dataset, np.concatenate(tests), raw, costs)
    return Evaluation(
        algorithm=algorithm,
        metrics=metrics,
        fold_gains=tuple(gains),
        strategy=performance(follow(signal[judged], market.begins, horizon), market, costs),
        baselines=baselines(dataset, judged, costs),
        calibration=calibration,
        thresholds=thresholds,
        probabilities=served[judged],
    )


def best_candidate(
    dataset: Dataset, predictions: Mapping[str, Sequence[Floats]], costs: Costs | None = None
) -> tuple[Evaluation, dict[str, float]]:
    """Return the candidate with the least out-of-sample log loss, and every candidate's log loss."""
    evaluations = [
        evaluate(dataset, name, folds, costs or Costs()) for name, folds in candidates(predictions).items()
    ]
    best = min(evaluations, key=lambda evaluation: evaluation.metrics["log_loss"])
    return best, {found.algorithm: found.metrics["log_loss"] for found in evaluations}


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
