"""ONNX models give what the originals give."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.export import floor_float32
from cryptobot.learning.training import ExportError, fit_final, golden_positions
from tests.learning.planted import dataset


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(strength=0.3)


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


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_the_same_data_and_seed_give_the_same_bytes(algorithm: str, data: Dataset) -> None:
    first, second = fit_final(data, algorithm), fit_final(data, algorithm)
    assert first.onnx == second.onnx
    np.testing.assert_array_equal(first.golden_probabilities, second.golden_probabilities)
    assert len(first.golden_probabilities) == len(golden_positions(data)) == 8


def test_a_converter_that_is_wrong_is_noticed(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    forest, boosted = ALGORITHMS["random_forest"], ALGORITHMS["xgboost"]
    other = boosted.to_onnx(boosted.fit(data, np.arange(len(data.labels))))
    monkeypatch.setitem(ALGORITHMS, "random_forest", type(forest)(forest.fit, lambda model: other))
    with pytest.raises(ExportError, match="BTCUSDT random_forest: ONNX differs"):
        fit_final(data, "random_forest")


@given(arrays(np.float64, 20, elements=st.floats(-1e30, 1e30)))
def test_thresholds_are_rounded_down_to_float32(values: np.ndarray) -> None:
    floored = floor_float32(values)
    assert (floored <= values).all()
    assert (floored == floored.astype(np.float32)).all()
    assert (np.nextafter(floored.astype(np.float32), np.float32(np.inf)) > values).all()
