"""Signals in batch: the last closed candles of every symbol, from the ``features`` collection."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from pymongo.database import Database

from cryptobot.decisions.decision import Decision, decide
from cryptobot.market.instant import to_ms
from cryptobot.serving import registry
from cryptobot.serving.bundle import Bundle, open_bundle
from cryptobot.serving.loading import BundleQuarantinedError, read_bundle
from cryptobot.serving.manifest import Manifest
from cryptobot.settings import Settings
from cryptobot.storage.database import Document
from cryptobot.storage.signals import add_signals, last_feature_rows, live_open_times

log = logging.getLogger(__name__)

CANDLES = 500
"""As many as a chart shows."""


def champion_bundles(database: Database[Document], settings: Settings) -> list[Bundle]:
    """Return the verified bundles of the configured symbols' champions that are not quarantined."""
    bundles = []
    for symbol in settings.symbols:
        pointer = registry.champion(database, symbol)
        if pointer is None:
            continue
        try:
            data = read_bundle(database, pointer["version"])
        except BundleQuarantinedError as error:
            log.warning("the champion %s is quarantined, not scored: %s", pointer["version"], error)
            continue
        bundles.append(open_bundle(data, settings.bundle_key))
    return bundles


def score_latest(
    database: Database[Document], bundles: Iterable[Bundle], candles: int = CANDLES
) -> list[Document]:
    """Return the signals of each model's last ``candles`` candles.

    Rows with a gap are left out, and candles of which the same model has given a live signal.
    """
    documents: list[Document] = []
    now = datetime.now(UTC)
    for bundle in bundles:
        manifest = bundle.manifest
        names = manifest.feature_set.names
        stored = last_feature_rows(
            database, manifest.symbol, manifest.interval, manifest.feature_set.version, candles
        )
        if not stored:
            continue
        said = live_open_times(database, manifest.symbol, manifest.version, stored[0]["open_time"])
        complete = [
            row
            for row in stored
            if row["open_time"] not in said and all(row["values"].get(name) is not None for name in names)
        ]
        if not complete:
            continue
        rows = np.array([[row["values"][name] for name in names] for row in complete], dtype=np.float32)
        documents += [
            signal_document(manifest, row["candle"], decision, source="batch", created_at=now)
            for row, decision in zip(complete, decide(bundle, rows), strict=True)
        ]
    return documents


def signal_document(
    manifest: Manifest, candle: Document, decision: Decision, *, source: str, created_at: datetime
) -> Document:
    """Return the document of ``signals`` as batch keeps it: one for each candle and model version.

    ``in_sample`` marks a candle of the model's training window: said with hindsight, it proves nothing.
    """
    open_ms = to_ms(candle["open_time"])
    return {
        "_id": f"{manifest.symbol}|{manifest.interval}|{open_ms}|{manifest.version}",
        "symbol": manifest.symbol,
        "interval": manifest.interval,
        "open_time": candle["open_time"],
        "close_time": candle["close_time"],
        "close": candle["close"],
        **decision.document(),
        "model_version": manifest.version,
        "fit": manifest.fit,
        "in_sample": candle["open_time"] <= manifest.window.end,
        "created_at": created_at,
        "source": source,
    }


def write_batch_signals(settings: Settings, database: Database[Document], candles: int = CANDLES) -> Document:
    """Score the last candles with the champions and store what is new.

    Returns
    -------
    dict
        ``scored`` and ``added`` signals, and the ``versions`` that gave them, by symbol.
    """
    bundles = champion_bundles(database, settings)
    documents = score_latest(database, bundles, candles)
    return {
        "scored": len(documents),
        "added": add_signals(database, documents),
        "versions": {bundle.manifest.symbol: bundle.manifest.version for bundle in bundles},
    }
