"""The drift of each champion: its newest days, measured against the reference in its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import TypeAdapter
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.learning import drift
from cryptobot.learning.reference import Reference
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.serving import registry
from cryptobot.serving.past_signals import past_signals
from cryptobot.storage import drift as days_of_drift
from cryptobot.storage import features
from cryptobot.storage.database import Document

DAYS = 30
"""How many days are measured at a time, and so shown of a model that has just been trained."""

LEAST_CLASSES = 2
"""Probabilities add up to one: where one class's have truly shifted, so have another's."""

_REFERENCE = TypeAdapter(Reference)
_END = datetime(9999, 1, 1, tzinfo=UTC)


class NothingToMeasureError(ValueError):
    """A model's drift cannot be told; the message says why."""


def measure_champions(
    database: Database[Document], symbols: Iterable[str]
) -> tuple[dict[str, Document], dict[str, str]]:
    """Measure and store the last days of each symbol's champion.

    Returns
    -------
    tuple
        The newest day's document by symbol, and for the other symbols why there is none.
    """
    newest, unmeasured = {}, {}
    for symbol in symbols:
        try:
            days = measure(database, symbol)
        except NothingToMeasureError as error:
            unmeasured[symbol] = str(error)
        else:
            days_of_drift.save(database, days)
            newest[symbol] = days[-1]
    return newest, unmeasured


def measure(database: Database[Document], symbol: str) -> list[Document]:
    """Return the documents of ``drift`` of the champion's last :data:`DAYS` days, in rising order.

    The same candles, features and signals give the same documents, ``measured_at`` apart. A day whose
    rows are all of the training is shown and never called drifted.

    Raises
    ------
    NothingToMeasureError
        There is no champion, its manifest has no reference, or there are too few features.
    """
    manifest = _champion(database, symbol)
    reference = _REFERENCE.validate_python(manifest["reference"])
    interval, trained_until = Interval(manifest["interval"]), manifest["window"]["end"]
    frame = features.load(
        database, Span(symbol, interval, manifest["window"]["start"], _END), FEATURE_SET
    ).dropna()
    times = pd.DatetimeIndex(frame["open_time"])
    trained = int(times.searchsorted(trained_until, side="right"))
    size = drift.window_size(reference.rows)
    if trained < 2 * size:
        raise NothingToMeasureError(
            f"{manifest['version']} was trained on candles of which only {trained} still have features, "
            f"and {2 * size} are needed; run the features job over them"
        )
    ends = _ends_of_days(times)[-DAYS:]
    ends = ends[ends >= size]
    found = drift.feature_drift(
        frame[list(reference.features)].to_numpy(np.float32), trained, ends, size, reference.features
    )
    said = past_signals(database, symbol, manifest["version"], interval, trained_until)
    now = datetime.now(UTC)
    documents = []
    for position, end in enumerate(ends):
        first, last = times[end - size].to_pydatetime(), times[end - 1].to_pydatetime()
        until = from_ms(interval.following(to_ms(last)))
        predictions, hits = said.predictions(reference, first, until), said.hits(reference, until)
        reasons = [] if end <= trained else _reasons(found, position, predictions, hits)
        day = last.replace(hour=0, minute=0, second=0, microsecond=0)
        documents.append(
            {
                "_id": days_of_drift.drift_id(symbol, manifest["version"], day),
                **{name: manifest[name] for name in ("symbol", "interval", "version")},
                "day": day,
                "from": first,
                "to": until,
                "rows": size,
                "in_sample": bool(end <= trained),
                "features": _features(found, position),
                "features_share": float(found.shares[position]),
                "features_share_limit": found.share_limit,
                "predictions": predictions,
                "hits": {name: {**asdict(each), "fallen": each.fallen} for name, each in hits.items()},
                "drifted": bool(reasons),
                "reasons": reasons,
                "measured_at": now,
            }
        )
    return documents


def _champion(database: Database[Document], symbol: str) -> Document:
    pointer = registry.champion(database, symbol)
    if pointer is None:
        raise NothingToMeasureError(f"{symbol} has no champion yet")
    manifest = registry.model(database, pointer["version"])
    if not manifest.get("reference") or manifest["feature_set"]["version"] != FEATURE_SET.version:
        raise NothingToMeasureError(
            f"{manifest['version']} was made before drift was measured, or for another feature set; "
            "the next training makes one that has what is needed"
        )
    return manifest


def _ends_of_days(times: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """Return, for each UTC day with rows, the position after its last."""
    days = times.to_numpy(dtype="datetime64[D]").astype(np.int64)
    return np.append(np.flatnonzero(np.diff(days)) + 1, len(days)).astype(np.int64)


def _features(found: drift.FeatureDrift, position: int) -> list[Document]:
    """Return the features' indices with their limits, those furthest beyond them first."""
    values = found.indices[position]
    order = np.argsort(-values / found.limits, kind="stable")
    return [
        {"name": found.names[i], "index": float(values[i]), "limit": float(found.limits[i])} for i in order
    ]


def _reasons(
    found: drift.FeatureDrift, position: int, predictions: Document | None, hits: dict[str, drift.Hits]
) -> list[str]:
    """Return in words what has drifted; none where nothing has."""
    reasons = []
    share = float(found.shares[position])
    if share > found.share_limit:
        most = ", ".join(each["name"] for each in _features(found, position)[:3])
        reasons.append(
            f"{share:.0%} of the features are distributed unlike in the training "
            f"(up to {found.share_limit:.0%} is usual), most of all {most}"
        )
    classes = predictions["classes"] if predictions else {}
    shifted = {name: each for name, each in classes.items() if each["index"] > each["limit"]}
    if len(shifted) >= LEAST_CLASSES:
        told_of = " and ".join(
            f"{name} ({each['index']:.2f}, limit {each['limit']:.2f})" for name, each in shifted.items()
        )
        reasons.append(
            f"probabilities are distributed unlike out of sample, by the stability index of {told_of}"
        )
    for name, told in hits.items():
        if told.fallen and told.rate is not None and told.expected is not None:
            reasons.append(
                f"of {told.signals} {name} signals {told.rate:.0%} turned out so, "
                f"out of sample it was {told.expected:.0%}"
            )
    return reasons


def summary(day: Document) -> Document:
    """Return what an event tells of a day's drift; plain JSON values."""
    hits: Sequence[tuple[str, Document]] = sorted(day["hits"].items())
    return {
        "version": day["version"],
        "day": f"{day['day']:%Y-%m-%d}",
        "drifted": day["drifted"],
        "reasons": day["reasons"],
        "features_share": round(day["features_share"], 4),
        "hit_rate": {name: each["rate"] for name, each in hits},
    }
