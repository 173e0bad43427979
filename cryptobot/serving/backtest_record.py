"""The record of a version's backtest: all that charts and people are shown of how it was judged."""

from __future__ import annotations

from typing import Any

from cryptobot.learning.diagnosis import Diagnosis
from cryptobot.learning.evaluation import Evaluation
from cryptobot.serving.manifest import Manifest

_OF_THE_MANIFEST = (
    "symbol", "interval", "algorithm", "created_at", "window", "fit", "reasons", "metrics", "trials"
)  # fmt: skip


def backtest_document(manifest: Manifest, evaluation: Evaluation, diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the record for ``backtests``, under the version as its ``_id``.

    Beside what the manifest tells: the capital over time, reliability by class, the features'
    importance, the learning curve, the figures by risk profile, and the deflated Sharpe ratio.
    """
    document = manifest.document()
    return {
        "_id": manifest.version,
        **{name: document[name] for name in _OF_THE_MANIFEST},
        "curves": evaluation.curves.document(),
        "calibration": {
            name: [bin.document() for bin in bins] for name, bins in evaluation.reliability.bins.items()
        },
        "importance": [found.document() for found in diagnosis.importance],
        "learning_curve": [point.document() for point in diagnosis.learning_curve],
        "profiles": {name: figures.document() for name, figures in evaluation.profiles.items()},
        "deflated_sharpe": evaluation.metrics["deflated_sharpe"],
    }
