"""The record of a backtest: what charts draw, as MongoDB keeps it."""

from __future__ import annotations

import bson
import pytest

from tests.serving.recorded_backtest import TRIALS, judged


def test_a_record_holds_what_charts_draw() -> None:
    evaluation, document = judged()
    assert bson.decode(bson.encode(document)).keys() == document.keys()
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
    assert document["trials"] == TRIALS
