"""Small but real bundles for tests: a forest of a few trees on random rows, as ONNX."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from pydantic import SecretStr
from sklearn.ensemble import RandomForestClassifier

from cryptobot.features import FEATURE_SET
from cryptobot.learning.calibration import Calibration
from cryptobot.learning.export import forest_to_onnx
from cryptobot.learning.reference import PROBABILITY_EDGES, Distribution, Reference
from cryptobot.learning.search import Search
from cryptobot.learning.signal import CLASSES, Thresholds
from cryptobot.serving.manifest import FeatureSchema, GoldenRow, Manifest, Window

KEY = SecretStr("a key for tests")
CREATED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@lru_cache
def forest(seed: int = 0) -> RandomForestClassifier:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(300, len(FEATURE_SET.names))).astype(np.float32)
    return RandomForestClassifier(8, max_depth=4, random_state=seed).fit(rows, random.integers(0, 3, 300))


@lru_cache
def forest_onnx(seed: int = 0) -> bytes:
    return forest_to_onnx(forest(seed))


def golden_rows(seed: int = 0) -> tuple[GoldenRow, ...]:
    rows = np.random.default_rng(1).normal(size=(3, len(FEATURE_SET.names))).astype(np.float32)
    return tuple(
        GoldenRow(features=tuple(map(float, row)), probabilities=tuple(map(float, expected)))
        for row, expected in zip(rows, forest(seed).predict_proba(rows), strict=True)
    )


def reference() -> Reference:
    """Return what the forest's rows were drawn from: normal features, in ten bins alike."""
    deciles = tuple(map(NormalDist().inv_cdf, PROBABILITY_EDGES))
    alike = (0.1,) * 10
    return Reference(
        features={name: Distribution(deciles, alike) for name in FEATURE_SET.names},
        predictions={name: Distribution(PROBABILITY_EDGES, alike) for name in CLASSES},
        hit_rate={"buy": 0.4, "sell": None},
        rows=300,
    )


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "other_symbol": "ETHUSDT",
        "interval": "15m",
        "algorithm": "random_forest",
        "created_at": CREATED_AT,
        "feature_set": FeatureSchema(version=FEATURE_SET.version, names=FEATURE_SET.names),
        "window": Window(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC)),
        "libraries": {"scikit-learn": "1.9.1"},
        "metrics": {"log_loss": 1.05},
        "calibration": Calibration(),
        "thresholds": Thresholds(buy=0.4, sell=0.4),
        "reference": reference(),
        "search": {"random_forest": Search({"max_depth": 4}, 1)},
        "trials": 1,
        "seed": 0,
        "fit": False,
        "reasons": ("a test",),
        "golden_rows": golden_rows(),
    }
    return Manifest(**{**fields, **changes})
