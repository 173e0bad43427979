"""FreqAI, freqtrade's own machine learning, on the folds of data sets, from an environment of its own.

Its ``XGBoostClassifier``, as its backtesting calls it, with the numbers of the example in its
documentation: 100 trees, a quarter of each window held back. It is given the product's features and
labels as they are; making them is not counted on either side.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.freqtrade import VERSION
from benchmarks.programs import watch
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.signal import CLASSES
from tests.exchange.environments import interpreter

NAME = f"FreqAI {VERSION}"
_TRAIN, _TEST = 1, 2
_PROGRAM = Path(__file__).with_name("freqai_folds.py")


@dataclass(frozen=True)
class Spent:
    """Seconds from the first fold's begin to the last one's end, and processor seconds."""

    seconds: float
    cpu_s: float


def train(datasets: Mapping[str, Dataset], folder: Path) -> Spent:
    """Return what it took for all folds, a process and a core each pair; their start is not counted.

    Raises ``EnvironmentUnavailableError`` where it cannot be installed.
    """
    wanted = (f"freqtrade[freqai]=={VERSION}", f"xgboost=={version('xgboost')}")
    python = interpreter("freqai", wanted)

    def folds(symbol: str) -> dict[str, float]:
        own = folder / symbol
        own.mkdir()
        (own / "config.json").write_text("{}")
        frame(datasets[symbol]).to_feather(own / f"{symbol.removesuffix('USDT')}.feather")
        # -P: this folder holds a freqtrade.py of its own.
        program = watch(
            [str(python), "-P", str(_PROGRAM), str(own)],
            {"PATH": os.environ.get("PATH", ""), "HOME": str(own), "OMP_NUM_THREADS": "1"},
        )
        found: dict[str, float] = json.loads(program.text.splitlines()[-1])
        return found

    with ThreadPoolExecutor(len(datasets)) as pool:
        found = list(pool.map(folds, datasets))
    wall = max(one["ended"] for one in found) - min(one["began"] for one in found)
    return Spent(wall, sum(one["cpu_s"] for one in found))


def frame(dataset: Dataset) -> pd.DataFrame:
    """Return the data set as FreqAI reads it, and what each row is to each fold (``fold0`` and on)."""
    made = pd.DataFrame(dataset.rows, columns=[f"%-{name}" for name in dataset.names])
    made.insert(0, "date", dataset.open_time)
    made["&-label"] = np.array(CLASSES)[dataset.labels.label]
    for number, fold in enumerate(dataset.folds):
        part = np.zeros(len(made), dtype=np.int8)
        part[fold.train], part[fold.test] = _TRAIN, _TEST
        made[f"fold{number}"] = part
    return made
