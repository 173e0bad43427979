"""The units of training that run side by side: one fold, or the final fit on everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime

from cryptobot.learning.algorithms import ALGORITHMS, SEED
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.export import mean_to_onnx
from cryptobot.learning.importance import permutation_importance
from cryptobot.learning.learning_curve import predict_with_less
from cryptobot.learning.search import Search

Floats = npt.NDArray[np.float64]

GOLDEN_ROWS = 8
PARITY = 1e-5


class ExportError(RuntimeError):
    """The ONNX model does not give the probabilities of the model that it was made from."""


@dataclass(frozen=True)
class FinalModel:
    """A model fitted on all labels: its ONNX bytes, what it makes of the golden rows, its parameters."""

    onnx: bytes
    golden_probabilities: Floats
    search: Search


@dataclass(frozen=True)
class FoldFit:
    """A model fitted on a fold's training window: its probabilities of the fold's test, ``(n, 3)``.

    ``importance`` is the rise of the log loss there without each feature; ``with_less`` holds the
    probabilities after learning from fewer labels, by how many: on the last fold alone.
    """

    probabilities: Floats
    importance: Floats
    with_less: Mapping[int, Floats]


def fit_fold(dataset: Dataset, algorithm: str, fold: int, seed: int = SEED) -> FoldFit:
    """Fit on the fold's training window, and see what it makes of the fold's test.

    What learns from fewer labels keeps the parameters found with all of them.
    """
    split, made = dataset.folds[fold], ALGORITHMS[algorithm]
    search = made.search(dataset, split.train, seed)
    model = made.fit(dataset, split.train, search, seed)
    rows, labels = dataset.rows[split.test], dataset.labels.label[split.test]
    return FoldFit(
        probabilities=np.asarray(model.predict_proba(rows), dtype=np.float64),
        importance=permutation_importance(model.predict_proba, rows, labels, seed),
        with_less=predict_with_less(
            dataset, split, lambda positions: made.fit(dataset, positions, search, seed)
        )
        if split is dataset.folds[-1]
        else {},
    )


def fit_final(dataset: Dataset, algorithm: str, seed: int = SEED) -> FinalModel:
    """Fit on every label and return the model as ONNX, checked against the original on all rows.

    Raises
    ------
    ExportError
        When the two differ by more than :data:`PARITY`.
    """
    made, everything = ALGORITHMS[algorithm], np.arange(len(dataset.labels))
    search = made.search(dataset, everything, seed)
    model = made.fit(dataset, everything, search, seed)
    expected = np.asarray(model.predict_proba(dataset.rows), dtype=np.float64)
    onnx = _checked(dataset, algorithm, made.to_onnx(model), expected)
    return FinalModel(onnx, expected[golden_positions(dataset)], search)


def mean_of(dataset: Dataset, finals: Mapping[str, FinalModel]) -> FinalModel:
    """Return the mean of the final models as one ONNX graph, checked against theirs on all rows.

    It searched for nothing of its own. Raises as :func:`fit_final` does.
    """
    onnx = mean_to_onnx({name: final.onnx for name, final in finals.items()})
    expected = np.mean([_probabilities(final.onnx, dataset) for final in finals.values()], axis=0)
    golden = np.mean([final.golden_probabilities for final in finals.values()], axis=0)
    return FinalModel(_checked(dataset, "mean", onnx, expected), golden, Search({}, 0))


def golden_positions(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return which rows become golden rows: spread evenly over the history."""
    return np.linspace(0, len(dataset.labels) - 1, GOLDEN_ROWS).astype(np.int64)


def _checked(dataset: Dataset, name: str, onnx: bytes, expected: Floats) -> bytes:
    difference = float(np.abs(_probabilities(onnx, dataset) - expected).max())
    if not difference <= PARITY:
        raise ExportError(
            f"{dataset.symbol} {name}: ONNX differs by {difference:.2g}, "
            f"more than {PARITY:g}; the converter does not fit this version of the library"
        )
    return onnx


def _probabilities(onnx: bytes, dataset: Dataset) -> Floats:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the other core is another task's
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"features": dataset.rows})[0], dtype=np.float64)
