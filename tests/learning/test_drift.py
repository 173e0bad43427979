from __future__ import annotations

import numpy as np
import pytest

from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning import drift
from cryptobot.learning.labels import Labels
from cryptobot.learning.reference import PROBABILITY_EDGES, Distribution, by_deciles, shares
from cryptobot.learning.signal import CLASSES
from cryptobot.market import Interval
from tests.features.market import walk

DECILES = (0.1,) * 10


def persistent(count: int, memory: float, seed: int = 0) -> np.ndarray:
    """A series that remembers: of unit variance, with the correlation ``memory`` from row to row."""
    steps = np.random.default_rng(seed).normal(0, np.sqrt(1 - memory**2), count)
    values = np.empty(count)
    values[0] = steps[0] / np.sqrt(1 - memory**2)
    for i in range(1, count):
        values[i] = memory * values[i - 1] + steps[i]
    return values


def test_the_index_is_that_of_the_formula() -> None:
    found = np.array([0.2, 0.0, *(0.1,) * 8])
    expected = 0.1 * np.log(2) + (0.1 - 0.005) * np.log(0.1 / 0.005)
    assert drift.stability_index(DECILES, found, rows=100) == pytest.approx(expected)
    assert drift.stability_index(DECILES, np.array(DECILES), rows=100) == 0


def test_windows_are_measured_as_each_by_itself() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1])  # of few values: some deciles are equal
    references = [by_deciles(rows[:300, column]) for column in range(2)]
    ends = np.array([100, 250, 400])
    found = drift.window_indices(rows, ends, 100, references)
    for position, end in enumerate(ends):
        for column, reference in enumerate(references):
            within = np.array(shares(rows[end - 100 : end, column], reference.edges))
            alone = drift.stability_index(reference.shares, within, 100)
            assert found[position, column] == pytest.approx(alone)


def measured(rows: np.ndarray, trained: int, size: int) -> drift.FeatureDrift:
    names = [f"f{column}" for column in range(rows.shape[1])]
    references = {name: by_deciles(rows[:trained, column]) for column, name in enumerate(names)}
    ends = np.arange(trained + size, len(rows) + 1, size)
    return drift.feature_drift(rows, trained, ends, size, references)


def test_spells_of_what_is_always_in_spells_are_no_drift_and_another_level_is() -> None:
    size, trained = 300, 12_000
    rows = np.column_stack([persistent(18_000, 0.99, seed) for seed in range(12)])
    usual = measured(rows, trained, size)
    assert (usual.indices > drift.SHIFTED).mean() > 0.5, "the usual limit alone would call all of it drift"
    assert (usual.shares > usual.share_limit).mean() < 0.1
    rows[trained:, :6] += 4
    moved = measured(rows, trained, size)
    assert (moved.shares > moved.share_limit).all()
    assert set(np.argsort(-moved.indices.mean(axis=0) / moved.limits)[:6]) == set(range(6))


def test_a_market_that_goes_on_as_it_was_raises_no_alarm_and_another_one_does() -> None:
    candles = walk(8_000, seed=3)
    wild = candles.copy()
    for name in ("open", "high", "low", "close"):  # four times the volatility in the last quarter
        wild.loc[6_000:, name] = candles[name][6_000] * (candles[name][6_000:] / candles[name][6_000]) ** 4
    alarms = {}
    for told, market in (("as it was", candles), ("wild", wild)):
        values = compute(market, None, Interval.MINUTE_15).dropna(axis=1, how="all").dropna()
        rows = values.to_numpy(np.float32)
        trained = 5_500
        found = measured(rows, trained, drift.window_size(trained))
        alarms[told] = (found.shares > found.share_limit).mean()
    assert alarms["as it was"] == 0
    assert alarms["wild"] >= 0.75


def test_a_window_is_a_week_or_less_of_what_was_learned() -> None:
    assert drift.window_size(35_000) == 672
    assert drift.window_size(4_000) == 200
    assert drift.window_size(1_000) == drift.LEAST_ROWS


@pytest.mark.parametrize("memory", [0.0, 0.8, 0.95])
def test_rows_that_remember_count_for_fewer(memory: float) -> None:
    count = 20_000
    expected = count * (1 - memory) / (1 + memory)
    assert drift.independent_rows(persistent(count, memory)) == pytest.approx(expected, rel=0.25)


def test_a_constant_is_one_row_however_often_it_is_said() -> None:
    assert drift.independent_rows(np.full(500, 0.3)) == 1


def probabilities(moods: np.ndarray) -> np.ndarray:
    """Calibrated probabilities around a third, of which ``moods`` move buy against sell."""
    buy = np.clip(0.33 + 0.05 * moods, 0.01, 0.6)
    return np.column_stack([0.66 - buy, np.full(len(buy), 0.34), buy])


def out_of_sample(p: np.ndarray) -> dict[str, Distribution]:
    return {
        name: Distribution(PROBABILITY_EDGES, shares(p[:, column], PROBABILITY_EDGES))
        for column, name in enumerate(CLASSES)
    }


def test_predictions_drift_when_they_leave_what_they_were_out_of_sample() -> None:
    references = out_of_sample(probabilities(persistent(20_000, 0.9)))
    bold = drift.prediction_drift(probabilities(persistent(672, 0.9, 1) + 3), references)
    assert bold["buy"].shifted
    assert bold["sell"].shifted
    assert not bold["hold"].shifted


def test_predictions_in_spells_are_given_the_room_that_spells_need() -> None:
    memory = 0.98
    references = out_of_sample(probabilities(persistent(100_000, memory)))
    found = [drift.prediction_drift(probabilities(persistent(672, memory, s)), references) for s in range(20)]
    buys = [each["buy"] for each in found]
    assert sum(buy.value > drift.SHIFTED for buy in buys) >= 5, "the usual limit alone would be passed often"
    assert sum(buy.shifted for buy in buys) <= 1


def test_of_too_few_predictions_nothing_is_said() -> None:
    p = probabilities(persistent(drift.LEAST_ROWS - 1, 0.5))
    assert drift.prediction_drift(p, out_of_sample(p)) == {}


def outcomes(label: list[int]) -> Labels:
    """Labels of candles 10, 20, 30..., each known five candles later."""
    row = 10 * (1 + np.arange(len(label)))
    return Labels(row, np.array(label), row + 5)


def test_hits_are_counted_by_side_among_signals_whose_outcome_is_known() -> None:
    labels = outcomes([2, 0, 2, 1, 0])  # buy, sell, buy, hold, sell
    rows = np.array([10, 20, 30, 40, 50, 60, 11])
    signals = np.array([2, 2, 2, 0, 0, 2, 2])
    found = drift.realised_hits(labels, rows, signals, {"buy": 0.4, "sell": None})
    assert (found["buy"].signals, found["buy"].hits, found["buy"].rate) == (3, 2, pytest.approx(2 / 3))
    assert (found["sell"].signals, found["sell"].hits) == (2, 1)
    assert found["buy"].lowest is None, "three signals prove nothing"
    assert found["sell"].lowest is None, "nothing was expected"
    assert not found["buy"].fallen


def test_a_hit_rate_has_fallen_when_chance_does_not_explain_it() -> None:
    def hits(right: int, of: int) -> drift.Hits:
        labels = outcomes([2] * right + [0] * (of - right))
        return drift.realised_hits(labels, labels.row, np.full(of, 2), {"buy": 0.5})["buy"]

    assert hits(50, 100).lowest == pytest.approx(0.5 - 2.326 * 0.05, abs=1e-3)
    assert not hits(40, 100).fallen
    assert hits(38, 100).fallen
    assert not hits(7, 20).fallen


def test_signals_that_overlap_are_less_evidence() -> None:
    row = np.arange(100, 200)
    labels = Labels(row, np.where(np.arange(100) < 38, 2, 0), row + 16)
    told = drift.realised_hits(labels, row, np.full(100, 2), {"buy": 0.5})["buy"]
    assert told.rate == 0.38
    assert not told.fallen


def test_the_reference_of_a_model_is_of_every_feature() -> None:
    rows = np.zeros((400, len(FEATURE_SET.names)), dtype=np.float32)
    references = {name: by_deciles(rows[:, 0]) for name in FEATURE_SET.names}
    found = drift.feature_drift(rows, 300, np.array([400]), 100, references)
    assert found.names == FEATURE_SET.names
    assert (found.indices == 0).all(), "a constant that stays is no drift"
