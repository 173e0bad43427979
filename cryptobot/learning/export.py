"""Trained models to ONNX: the same bytes for the same model, the same probabilities to rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import compose, helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostTensor
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

_OPSET = 18
_OPSET_ML = 3
_OPSET_XGBOOST = 15


def forest_to_onnx(forest: RandomForestClassifier) -> bytes:
    """Return the forest as ONNX: ``features`` float32 in, ``probabilities`` out.

    Its thresholds are first rounded down to float32, which changes no decision on float32 rows:
    ONNX holds them so, and rounding them up could send a row the other way.
    """
    for tree in forest.estimators_:
        thresholds = tree.tree_.threshold
        thresholds[:] = floor_float32(thresholds)
    model = convert_sklearn(
        forest,
        name="random_forest",
        initial_types=[("features", FloatTensorType([None, forest.n_features_in_]))],
        options={"zipmap": False},
        target_opset={"": _OPSET, "ai.onnx.ml": _OPSET_ML},
    )
    return _serialized(model, "random_forest")


def boosted_to_onnx(boosted: XGBClassifier) -> bytes:
    """Return the boosted trees as ONNX: ``features`` float32 in, ``probabilities`` out."""
    model = convert_xgboost(
        boosted,
        name="xgboost",
        initial_types=[("features", XgboostTensor([None, boosted.n_features_in_]))],
        target_opset=_OPSET_XGBOOST,
    )
    return _serialized(model, "xgboost")


def mean_to_onnx(models: Mapping[str, bytes]) -> bytes:
    """Return one graph of several: ``features`` in, the mean of the models' ``probabilities`` out."""
    parts = [
        compose.add_prefix(onnx.load_from_string(models[name]), f"{name}/", rename_inputs=False)
        for name in sorted(models)
    ]
    probabilities = [f"{name}/probabilities" for name in sorted(models)]
    graph = helper.make_graph(
        [
            *(node for part in parts for node in part.graph.node),
            helper.make_node("Mean", probabilities, ["probabilities"]),
        ],
        "mean",
        parts[0].graph.input,
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [None, 3])],
        [constant for part in parts for constant in part.graph.initializer],
    )
    versions = {"": _OPSET, "ai.onnx.ml": 1}
    for part in parts:
        for used in part.opset_import:
            versions[used.domain] = max(versions[used.domain], used.version)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in sorted(versions.items())],
        ir_version=max(part.ir_version for part in parts),
        producer_name="cryptobot",
    )
    onnx.checker.check_model(model)
    return _serialized(model, "mean")


def floor_float32(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the greatest float32 not above each value, as float64."""
    nearest = values.astype(np.float32)
    above = nearest.astype(np.float64) > values
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    return nearest.astype(np.float64)


def _serialized(model: Any, name: str) -> bytes:
    model.graph.name = name  # the converters' own is random
    return bytes(model.SerializeToString(deterministic=True))
