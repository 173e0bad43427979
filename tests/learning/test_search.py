"""The search: bounded, within the training window alone, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryptobot.learning import boosting, forest
from cryptobot.learning.algorithms import ALGORITHMS, SEED
from cryptobot.learning.boosting import search_boosted
from cryptobot.learning.search import Search, halve, trials
from cryptobot.learning.window import validation
from tests.learning.planted import dataset

SETS = {"random_forest": forest.SETS, "xgboost": boosting.SETS}


class Known:
    """A candidate whose losses are known beforehand; it tells how far it was grown."""

    def __init__(self, **losses: float) -> None:
        self.losses = {int(name.removeprefix("at")): loss for name, loss in losses.items()}
        self.trees = 0

    def grow(self, trees: int) -> float:
        self.trees = trees
        return self.losses[trees]


def test_the_worse_half_goes_at_each_size() -> None:
    slow, bad, good, worst = Known(at10=2, at20=1), Known(at10=3), Known(at10=1, at20=2), Known(at10=4)
    assert halve([slow, bad, good, worst], (10, 20)) is slow
    assert [candidate.trees for candidate in (slow, bad, good, worst)] == [20, 10, 20, 10]


def test_of_equals_the_first_stays() -> None:
    alike = [Known(at10=1, at20=1) for _ in range(4)]
    assert halve(alike, (10, 20)) is alike[0]


def test_trials_are_all_that_was_tried_and_the_mean() -> None:
    assert trials([Search({}, 4)]) == 4
    assert trials([Search({}, 4), Search({}, 3)]) == 8


def test_parameters_are_chosen_on_the_window_s_newest_part_which_their_models_never_saw() -> None:
    data = dataset(strength=0.3)
    train = data.folds[2].train
    fold = validation(data, train)
    assert fold.test[-1] == train[-1]
    assert len(fold.test) == pytest.approx(0.15 * len(train), abs=1)
    first = data.labels.row[fold.test[0]]
    assert data.labels.end[fold.train].max() + data.barriers.horizon < first


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_search_sees_only_the_training_window(algorithm: str) -> None:
    data, made = dataset(strength=0.3), ALGORITHMS[algorithm]
    train = data.folds[2].train
    others = ~np.isin(np.arange(len(data.rows)), train)
    blinded = replace(
        data,
        rows=np.where(others[:, None], np.float32(7), data.rows),
        labels=replace(data.labels, label=np.where(others, 1, data.labels.label)),
    )
    found = made.search(data, train, SEED)
    assert found == made.search(blinded, train, SEED)
    assert found.tried == len(SETS[algorithm])
    assert any(found.chosen.items() >= tried.items() for tried in SETS[algorithm])
    models = [made.fit(each, train, found) for each in (data, blinded)]
    np.testing.assert_array_equal(*(model.predict_proba(data.rows) for model in models))


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_another_seed_gives_another_model(algorithm: str) -> None:
    data, made = dataset(strength=0.3), ALGORITHMS[algorithm]
    train = data.folds[0].train
    search = made.search(data, train, SEED)
    one, same, other = (
        made.fit(data, train, search, seed).predict_proba(data.rows) for seed in (SEED, SEED, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0


def test_boosting_stops_early_where_there_is_nothing_to_learn() -> None:
    data = dataset(strength=0.0)
    found = search_boosted(data, np.arange(len(data.labels)), SEED)
    assert 1 <= found.chosen["rounds"] < 100


def test_what_a_window_rewards_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    data, train = dataset(strength=0.3), np.arange(len(dataset(strength=0.3).labels))
    hopeless = {"max_depth": 1, "min_child_weight": 1e9}
    monkeypatch.setattr(boosting, "SETS", (hopeless, {"max_depth": 4, "min_child_weight": 20}))
    assert search_boosted(data, train, SEED).chosen["max_depth"] == 4
    stump = {"max_depth": 1, "least_leaf_share": 0.5}
    monkeypatch.setattr(forest, "SETS", (stump, {"max_depth": 8, "least_leaf_share": 0.005}))
    assert forest.search_forest(data, train, SEED).chosen["max_depth"] == 8
