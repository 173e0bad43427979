"""ONNX models give what the originals give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryptobot.learning import training
from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.export import floor_float32
from cryptobot.learning.training import ExportError, FinalModel, fit_final, golden_positions, mean_of
from tests.learning.planted import dataset


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(strength=0.3)


@pytest.fixture(scope="module")
def finals(data: Dataset) -> dict[str, FinalModel]:
    return {name: fit_final(data, name) for name in ALGORITHMS}


def probabilities(onnx: bytes, rows: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(onnx).run(["probabilities"], {"features": rows})[0]


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_probabilities_are_the_same_to_rounding(algorithm: str, data: Dataset) -> None:
    made = ALGORITHMS[algorithm]
    model = made.fit(data, np.arange(len(data.labels)))
    session = onnxruntime.InferenceSession(made.to_onnx(model))
    assert [i.name for i in session.get_inputs()] == ["features"]
    on_edges = data.rows.copy()
    for tree in getattr(model, "estimators_", [])[:20]:
        nodes = tree.tree_
        for feature, threshold in zip(nodes.feature, nodes.threshold, strict=True):
            if feature >= 0:  # rows that lie exactly where a tree parts them
                on_edges[int(threshold * 1e6) % len(on_edges), feature] = np.float32(threshold)
    for rows in (data.rows, on_edges):
        found = session.run(["probabilities"], {"features": rows})[0]
        assert np.abs(found - model.predict_proba(rows)).max() < 1e-6


def test_the_mean_is_one_graph_of_both(data: Dataset, finals: dict[str, FinalModel]) -> None:
    mean = mean_of(data, finals)
    assert mean.onnx == mean_of(data, dict(reversed(finals.items()))).onnx
    each = [probabilities(final.onnx, data.rows) for final in finals.values()]
    assert np.abs(probabilities(mean.onnx, data.rows) - np.mean(each, axis=0)).max() < 1e-6
    golden = probabilities(mean.onnx, data.rows[golden_positions(data)])
    np.testing.assert_allclose(mean.golden_probabilities, golden, atol=1e-6)


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_the_same_data_and_seed_give_the_same_bytes(
    algorithm: str, data: Dataset, finals: dict[str, FinalModel]
) -> None:
    again, other = fit_final(data, algorithm), fit_final(data, algorithm, seed=1)
    assert again.onnx == finals[algorithm].onnx != other.onnx
    assert again.search == finals[algorithm].search
    np.testing.assert_array_equal(again.golden_probabilities, finals[algorithm].golden_probabilities)
    assert len(again.golden_probabilities) == len(golden_positions(data)) == 8


def test_a_converter_that_is_wrong_is_noticed(
    data: Dataset, finals: dict[str, FinalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(ALGORITHMS["random_forest"], to_onnx=lambda model: finals["xgboost"].onnx)
    monkeypatch.setitem(ALGORITHMS, "random_forest", wrong)
    with pytest.raises(ExportError, match="BTCUSDT random_forest: ONNX differs"):
        fit_final(data, "random_forest")
    monkeypatch.setattr(training, "mean_to_onnx", lambda models: models["xgboost"])
    with pytest.raises(ExportError, match="BTCUSDT mean: ONNX differs"):
        mean_of(data, finals)


@given(arrays(np.float64, 20, elements=st.floats(-1e30, 1e30)))
def test_thresholds_are_rounded_down_to_float32(values: np.ndarray) -> None:
    floored = floor_float32(values)
    assert (floored <= values).all()
    assert (floored == floored.astype(np.float32)).all()
    assert (np.nextafter(floored.astype(np.float32), np.float32(np.inf)) > values).all()
