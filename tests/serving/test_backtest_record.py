"""The record of a backtest: what charts draw, as MongoDB keeps it."""

from __future__ import annotations

import bson
import pytest

from cryptobot.learning.algorithms import XGBOOST
from cryptobot.learning.diagnosis import diagnose
from cryptobot.learning.evaluation import best_candidate
from cryptobot.learning.training import fit_fold
from cryptobot.serving.backtest_record import backtest_document
from tests.learning.planted import dataset
from tests.serving.bundles import manifest


def test_a_record_holds_what_charts_draw() -> None:
    data = dataset(1_500, 0.5, 0)
    fits = [fit_fold(data, XGBOOST, fold) for fold in range(5)]
    evaluation, _ = best_candidate(data, {XGBOOST: [fit.probabilities for fit in fits]}, trials=9)
    made = manifest(version="BTCUSDT-1", metrics=evaluation.metrics, trials=9)
    document = backtest_document(made, evaluation, diagnose(data, {XGBOOST: fits}))

    assert bson.decode(bson.encode(document))["_id"] == "BTCUSDT-1"
    curves = document["curves"]
    assert curves.keys() == {"open_time", "strategy", "buy_and_hold"}
    assert {len(column) for column in curves.values()} == {500}
    assert curves["open_time"] == sorted(set(curves["open_time"]))
    assert curves["strategy"][-1] == pytest.approx(1 + evaluation.strategy.net_return)
    assert curves["buy_and_hold"][-1] == pytest.approx(1 + evaluation.baselines["buy_and_hold"].net_return)
    rows = evaluation.metrics["rows"]
    assert document["calibration"].keys() == {"sell", "hold", "buy"}
    assert all(sum(bin["rows"] for bin in bins) == rows for bins in document["calibration"].values())
    assert len(document["importance"]) == 40
    assert document["importance"][0].keys() == {"feature", "mean", "deviation"}
    assert [point.keys() for point in document["learning_curve"]] == [{"rows", "log_loss"}] * 4
    assert list(document["profiles"]) == ["conservative", "balanced", "aggressive"]
    exposures = [figures["exposure"] for figures in document["profiles"].values()]
    assert exposures == sorted(exposures)
    assert 0 <= document["deflated_sharpe"] <= 1
    assert document["trials"] == 9
