"""The fits of all symbols as one Spark stage: a task for each symbol, algorithm and fold."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.dataset import FOLDS, Dataset
from cryptobot.learning.training import fit_final, fit_fold
from cryptobot.spark.failure import cause_of

FINAL = -1
"""In place of a fold: the fit on every label."""


@dataclass(frozen=True)
class Task:
    """One fit: of a fold, or on everything (``FINAL``)."""

    symbol: str
    algorithm: str
    fold: int


@dataclass(frozen=True)
class Fit:
    """What a task gave: the fit of a fold or the final model, else the error."""

    task: Task
    result: Any
    error: str | None
    seconds: float


def fit_side_by_side(spark: SparkSession, datasets: dict[str, Dataset]) -> list[Fit]:
    """Return all fits, made as one Spark stage of one task each; a failed one holds its error."""
    # The final fits take longest, so they begin first.
    folds = [FINAL, *reversed(range(FOLDS))]
    tasks = [
        Task(symbol, algorithm, fold) for fold in folds for algorithm in ALGORITHMS for symbol in datasets
    ]
    shared = spark.sparkContext.broadcast(datasets)

    def fit(task: Task) -> Fit:
        return fit_task(shared.value[task.symbol], task)

    return spark.sparkContext.parallelize(tasks, len(tasks)).map(fit).collect()


def fit_task(dataset: Dataset, task: Task) -> Fit:
    """Return the task's fit; whatever fails is told in it, so that the other symbols go on."""
    begun = time.perf_counter()
    result: Any = None
    error: str | None = None
    try:
        if task.fold == FINAL:
            result = fit_final(dataset, task.algorithm)
        else:
            result = fit_fold(dataset, task.algorithm, task.fold)
    except Exception as failed:
        what = "the final fit" if task.fold == FINAL else f"fold {task.fold}"
        error = f"{task.algorithm}, {what}: {cause_of(failed)}"
    return Fit(task, result, error, time.perf_counter() - begun)
