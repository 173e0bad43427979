"""A challenger beside the champion, on candles that neither has learned from.

The challenger was judged by walk-forward: its newest test was predicted by a model that had seen
nothing of it. The champion has seen nothing after its own training. What both lack is scored by
both, in the model's own training run, where the candles and labels are at hand.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.learning.dataset import Dataset
from cryptobot.learning.evaluation import Evaluation
from cryptobot.learning.scores import brier, log_loss
from cryptobot.serving import registry
from cryptobot.serving.bundle import Bundle, BundleError, open_bundle
from cryptobot.serving.loading import read_bundle
from cryptobot.storage.database import Document

log = logging.getLogger(__name__)

LEAST_UNIQUE = 30.0
"""Labels that overlap tell the same story; fewer than so many stories decide nothing."""


def compare_with_champion(
    database: Database[Document],
    dataset: Dataset,
    evaluation: Evaluation,
    version: str,
    key: SecretStr,
) -> Document | None:
    """Score the symbol's champion beside the challenger ``version``; keep and return the outcome.

    ``None``, and nothing kept, where there is no other champion, it is quarantined or cannot be
    loaded, or too few candles are new to it. Whoever promotes falls back on each model's own figures then.
    """
    pointer = registry.champion(database, dataset.symbol)
    if pointer is None or pointer["version"] == version:
        return None
    try:
        champion = open_bundle(read_bundle(database, pointer["version"]), key)
        outcome = compare(dataset, evaluation.probabilities, champion)
    except (BundleError, registry.RegistryError, ValueError, TypeError) as error:
        log.warning("%s is not compared with the champion %s: %s", version, pointer["version"], error)
        return None
    if outcome is not None:
        registry.record_comparison(database, version, outcome)
    return outcome


def compare(dataset: Dataset, probabilities: npt.NDArray[np.float64], champion: Bundle) -> Document | None:
    """Return both models' figures on the newest test's rows that the champion has not learned from.

    ``probabilities`` are the challenger's, out of sample, of all rows that were judged, ``(n, 3)``.
    A champion knows of candles up to the end of its last label, a horizon after its window.

    Returns
    -------
    dict or None
        ``champion`` (version), ``from`` and ``to`` (open times, both inclusive), ``rows``; ``log_loss``
        and ``brier`` of the ``challenger``, the ``champion`` and the ``base_rates``; ``gain`` of the
        challenger's log loss over the champion's, and its standard ``error``. ``None`` when the rows
        are too few to tell.
    """
    newest = dataset.folds[-1]
    label = timedelta(milliseconds=dataset.interval.milliseconds * dataset.barriers.horizon)
    unknown = dataset.open_time[newest.test] > pd.Timestamp(champion.manifest.window.end + label)
    rows = newest.test[unknown]
    unique = float(dataset.uniqueness[rows].sum())
    if unique < LEAST_UNIQUE:
        return None
    truth = dataset.labels.label[rows]
    share = np.bincount(dataset.labels.label[newest.train], minlength=3) / len(newest.train)
    made = {
        "challenger": probabilities[-len(newest.test) :][unknown],
        "champion": champion.predict(dataset.rows[rows]),
        "base_rates": np.tile(share, (len(rows), 1)),
    }
    losses = {name: log_loss(p, truth) for name, p in made.items()}
    ahead = losses["champion"] - losses["challenger"]
    return {
        "champion": champion.manifest.version,
        "from": dataset.open_time[rows[0]].to_pydatetime(),
        "to": dataset.open_time[rows[-1]].to_pydatetime(),
        "rows": len(rows),
        "log_loss": {name: float(loss.mean()) for name, loss in losses.items()},
        "brier": {name: brier(p, truth) for name, p in made.items()},
        "gain": float(ahead.mean()),
        "error": float(ahead.std() / np.sqrt(unique)),
    }
