"""The units of training that run side by side: one fold, or the final fit on everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime

from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.dataset import Dataset
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


def predict_fold(dataset: Dataset, algorithm: str, fold: int) -> Floats:
    """Fit on the fold's training window and return the probabilities of its test, ``(n, 3)``."""
    split = dataset.folds[fold]
    model = ALGORITHMS[algorithm].fit(dataset, split.train)
    return np.asarray(model.predict_proba(dataset.rows[split.test]), dtype=np.float64)


def fit_final(dataset: Dataset, algorithm: str) -> FinalModel:
    """Fit on every label and return the model as ONNX, checked against the original on all rows."""
    made = ALGORITHMS[algorithm]
    model = made.fit(dataset, np.arange(len(dataset.labels)))
    onnx = made.to_onnx(model)
    expected = np.asarray(model.predict_proba(dataset.rows), dtype=np.float64)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the other core is another task's
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"features": dataset.rows})[0]
    difference = float(np.abs(found - expected).max())
    if not difference <= PARITY:
        raise ExportError(
            f"{dataset.symbol} {algorithm}: ONNX differs by {difference:.2g}, "
            f"more than {PARITY:g}; the converter does not fit this version of the library"
        )
    return FinalModel(onnx, expected[golden_positions(dataset)], Search({}, 1))


def golden_positions(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return which rows become golden rows: spread evenly over the history."""
    return np.linspace(0, len(dataset.labels) - 1, GOLDEN_ROWS).astype(np.int64)
