"""The record of a backtest for tests: of a small market with a signal planted in it."""

from __future__ import annotations

from functools import lru_cache

from cryptobot.learning.algorithms import XGBOOST
from cryptobot.learning.diagnosis import diagnose
from cryptobot.learning.evaluation import Evaluation, best_candidate
from cryptobot.learning.training import fit_fold
from cryptobot.serving.backtest_record import backtest_document
from cryptobot.storage.database import Document
from tests.learning.planted import dataset
from tests.serving.bundles import manifest

TRIALS = 9


@lru_cache
def judged() -> tuple[Evaluation, Document]:
    """Return an evaluation, and the record that is made of it."""
    data = dataset(1_500, 0.5, 0)
    fits = [fit_fold(data, XGBOOST, fold) for fold in range(len(data.folds))]
    evaluation, _ = best_candidate(data, {XGBOOST: [fit.probabilities for fit in fits]}, trials=TRIALS)
    strategies = {"strategy": evaluation.strategy, **evaluation.baselines}
    figures = {name: found.document() for name, found in strategies.items()}
    made = manifest(
        version="BTCUSDT-20260101T000000Z-0a1b2c3d",
        algorithm=XGBOOST,
        metrics={**evaluation.metrics, "backtest": figures},
        trials=TRIALS,
    )
    return evaluation, backtest_document(made, evaluation, diagnose(data, {XGBOOST: fits}))
