"""Packing: the same data and seed give the same bundle, which holds all that its manifest tells."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from cryptobot.learning.algorithms import ALGORITHMS, SEED
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.evaluation import best_candidate
from cryptobot.learning.gate import judge
from cryptobot.learning.training import fit_final
from cryptobot.serving.bundle import open_bundle
from cryptobot.serving.manifest import Manifest
from cryptobot.serving.packing import pack
from tests.learning.planted import dataset
from tests.serving.bundles import KEY


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(strength=0.3)


def predictions(data: Dataset) -> dict[str, list[np.ndarray]]:
    """Return what two models that err apart from each other would have predicted: their mean is best."""
    random = np.random.default_rng(0)
    folds = {name: [] for name in ALGORITHMS}
    for fold in data.folds:
        truth = np.eye(3)[data.labels.label[fold.test]]
        for each in folds.values():
            logits = truth + random.normal(0, 1.5, truth.shape)
            each.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    return folds


def packed(data: Dataset, only: str | None = None, seed: int = SEED) -> tuple[Manifest, bytes]:
    found = predictions(data)
    evaluation, losses = best_candidate(data, {only: found[only]} if only else found)
    return pack(
        data,
        evaluation,
        judge(evaluation),
        losses,
        {name: fit_final(data, name, seed) for name in ALGORITHMS},
        other_symbol=None,
        as_of=datetime(2025, 2, 1, tzinfo=UTC),
        key=KEY,
        seed=seed,
    )


@pytest.fixture(scope="module")
def mean(data: Dataset) -> tuple[Manifest, bytes]:
    return packed(data)


def test_the_same_data_and_seed_give_the_same_hash(data: Dataset, mean: tuple[Manifest, bytes]) -> None:
    assert packed(data) == mean
    assert packed(data, seed=1)[0].sha256 != mean[0].sha256


def test_the_mean_is_served_from_one_graph_beside_both_models(
    data: Dataset, mean: tuple[Manifest, bytes]
) -> None:
    manifest, bundle = mean
    assert manifest.algorithm == "mean"
    assert [member.algorithm for member in manifest.members] == ["mean", "random_forest", "xgboost"]
    opened = open_bundle(bundle, KEY)
    assert opened.manifest == manifest
    opened.check_golden_rows()


def test_one_that_is_best_alone_is_served_beside_the_other(data: Dataset) -> None:
    manifest, bundle = packed(data, only="xgboost")
    assert manifest.algorithm == "xgboost"
    assert [member.algorithm for member in manifest.members] == ["random_forest", "xgboost"]
    open_bundle(bundle, KEY).check_golden_rows()


def test_the_manifest_tells_what_was_searched_and_what_drift_is_measured_against(
    data: Dataset, mean: tuple[Manifest, bytes]
) -> None:
    manifest, _ = mean
    assert manifest.format == 2
    assert manifest.seed == SEED
    assert manifest.search.keys() == ALGORITHMS.keys()
    assert manifest.trials == sum(search.tried for search in manifest.search.values()) + 1
    assert manifest.reference.features.keys() == set(data.names)
    assert manifest.reference.rows == len(data.rows)
    assert manifest.reference.hit_rate["buy"] == manifest.metrics["precision"]["buy"]
