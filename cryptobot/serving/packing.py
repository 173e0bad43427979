"""From an evaluated candidate to a signed bundle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version as installed
from typing import Any

from pydantic import SecretStr

from cryptobot.features import FEATURE_SET
from cryptobot.learning.algorithms import SEED
from cryptobot.learning.dataset import Dataset
from cryptobot.learning.evaluation import MEAN, Evaluation
from cryptobot.learning.gate import Verdict
from cryptobot.learning.reference import reference
from cryptobot.learning.search import trials
from cryptobot.learning.training import FinalModel, golden_positions, mean_of
from cryptobot.serving.bundle import open_bundle, write_bundle
from cryptobot.serving.manifest import FeatureSchema, GoldenRow, Manifest, Window

_LIBRARIES = ("numpy", "onnxruntime", "scikit-learn", "skl2onnx", "ta-lib", "xgboost", "onnxmltools")


def pack(
    dataset: Dataset,
    evaluation: Evaluation,
    verdict: Verdict,
    log_losses: Mapping[str, float],
    finals: Mapping[str, FinalModel],
    *,
    other_symbol: str | None,
    as_of: datetime,
    key: SecretStr,
    seed: int = SEED,
) -> tuple[Manifest, bytes]:
    """Return the manifest and the bundle of the candidate that ``evaluation`` judged.

    The bundle is opened again and must score its golden rows as the original models did;
    otherwise :class:`~cryptobot.serving.bundle.BundleCorruptError` is raised.
    """
    members = dict(finals)
    if evaluation.algorithm == MEAN:
        members[MEAN] = mean_of(dataset, finals)
    manifest = Manifest(
        symbol=dataset.symbol,
        other_symbol=other_symbol,
        interval=dataset.interval.value,
        algorithm=evaluation.algorithm,
        created_at=as_of,
        feature_set=FeatureSchema(version=FEATURE_SET.version, names=dataset.names),
        window=Window(start=dataset.open_time[0], end=dataset.open_time[-1]),
        libraries={name: installed(name) for name in _LIBRARIES},
        metrics=_metrics(dataset, evaluation, log_losses),
        calibration=evaluation.calibration,
        thresholds=evaluation.thresholds,
        reference=reference(dataset, evaluation.probabilities, evaluation.metrics["precision"]),
        search={name: finals[name].search for name in sorted(finals)},
        trials=trials(final.search for final in finals.values()),
        seed=seed,
        fit=verdict.fit,
        reasons=verdict.reasons,
        golden_rows=_golden_rows(dataset, evaluation, members[evaluation.algorithm]),
    )
    finished, data = write_bundle(manifest, {name: member.onnx for name, member in members.items()}, key)
    open_bundle(data, key).check_golden_rows()
    return finished, data


def _metrics(dataset: Dataset, evaluation: Evaluation, log_losses: Mapping[str, float]) -> dict[str, Any]:
    strategies = {"strategy": evaluation.strategy, **evaluation.baselines}
    return {
        **evaluation.metrics,
        "log_loss_by_algorithm": dict(log_losses),
        "gain_by_fold": list(evaluation.fold_gains),
        "backtest": {name: figures.document() for name, figures in strategies.items()},
        "candles": dataset.candles,
        "labels": len(dataset.labels),
    }


def _golden_rows(dataset: Dataset, evaluation: Evaluation, served: FinalModel) -> tuple[GoldenRow, ...]:
    rows = dataset.rows[golden_positions(dataset)]
    expected = evaluation.calibration.apply(served.golden_probabilities)
    return tuple(
        GoldenRow(features=tuple(map(float, row)), probabilities=tuple(map(float, probabilities)))
        for row, probabilities in zip(rows, expected, strict=True)
    )
