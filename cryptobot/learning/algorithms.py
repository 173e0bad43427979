"""The two algorithms, on one thread each: Spark runs many fits side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptobot.learning.boosting import fit_boosted, search_boosted
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.export import boosted_to_onnx, forest_to_onnx
from cryptobot.learning.forest import fit_forest, search_forest
from cryptobot.learning.search import Parameters, Search
from cryptobot.learning.window import Positions

SEED = 20_240_229
RANDOM_FOREST = "random_forest"
XGBOOST = "xgboost"


@dataclass(frozen=True)
class Algorithm:
    """How parameters are searched within a training window, a model is fitted with them, and made ONNX."""

    search: Callable[[Dataset, Positions, int], Search]
    fit_with: Callable[[Dataset, Positions, Parameters, int], Any]
    to_onnx: Callable[[Any], bytes]

    def fit(self, dataset: Dataset, train: Positions, search: Search | None = None, seed: int = SEED) -> Any:
        """Return a model of the positions ``train``, with parameters searched there unless they are given."""
        search = search or self.search(dataset, train, seed)
        return self.fit_with(dataset, train, search.chosen, seed)


ALGORITHMS = {
    RANDOM_FOREST: Algorithm(search_forest, fit_forest, forest_to_onnx),
    XGBOOST: Algorithm(search_boosted, fit_boosted, boosted_to_onnx),
}
