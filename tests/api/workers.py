"""The API as it runs, two workers behind one port, and what every one of its answers must be."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
from pymongo.database import Database
from sklearn.ensemble import RandomForestClassifier

from cryptobot.features import FEATURE_SET
from cryptobot.learning.signal import CLASSES
from cryptobot.serving.access import issue_token
from cryptobot.settings import Settings
from cryptobot.storage.health import live_instances
from tests.api.load import Connection
from tests.servers import running

Db = Database[dict[str, Any]]

PATH = "/v1/predictions"
ROW = np.random.default_rng(3).normal(size=(1, len(FEATURE_SET.names))).astype(np.float32)
BODIES = (
    orjson.dumps({"symbol": "BTCUSDT", "rows": [dict(zip(FEATURE_SET.names, ROW[0].tolist(), strict=True))]}),
    orjson.dumps({"symbol": "BTCUSDT"}),
)
"""A row of features, and the last candle."""


@contextmanager
def workers(settings: Settings, log: Path, **environment: str) -> Iterator[int]:
    """Run the API with two workers; the value is the process id of their supervisor."""
    env = {
        "CRYPTOBOT_ENV_FILE": os.devnull,
        "CRYPTOBOT_MONGO_URI": settings.mongo_uri.get_secret_value(),
        "CRYPTOBOT_MONGO_DATABASE": settings.mongo_database,
        "CRYPTOBOT_API_PORT": str(settings.api_port),
        "CRYPTOBOT_TOKEN_KEY": settings.token_key.get_secret_value(),
        "CRYPTOBOT_BUNDLE_KEY": settings.bundle_key.get_secret_value(),
        "CRYPTOBOT_BUNDLE_LOAD_SECONDS": str(settings.bundle_load_seconds),
        "CRYPTOBOT_ADMIN_PASSWORD": settings.admin_password.get_secret_value(),
        "CRYPTOBOT_DOCS_DIR": str(settings.docs_dir),
        **environment,
    }
    with running(
        [sys.executable, "-m", "api.cli"],
        ready=lambda: httpx.get(f"{settings.api_url}/livez").status_code == 200,
        log=log,
        env=env,
    ) as process:
        yield process.pid


def served_versions(database: Db) -> list[str | None]:
    """Return what each live worker reports to serve for BTCUSDT."""
    return [report["detail"]["models"].get("BTCUSDT") for report in live_instances(database, "api")]


def connection(settings: Settings) -> Connection:
    """Return a connection of someone who may read."""
    return Connection(settings.api_port, PATH, issue_token(settings, "load", {"read"}))


class Oracle:
    """What each version answers, by the forest that it was made of; and which versions have answered."""

    def __init__(self) -> None:
        self.answered: set[str] = set()
        self._row: dict[str, list[float]] = {}
        self._candle: dict[str, bytes] = {}

    def expect(self, version: str, forest: RandomForestClassifier) -> None:
        """Take in that ``version`` may answer from now on, as ``forest`` does."""
        self._row[version] = forest.predict_proba(ROW)[0].tolist()

    def fault(self, which: int, body: bytes) -> str | None:
        """Return what is wrong with the answer to ``BODIES[which]``: it must be one version's, throughout."""
        answer = orjson.loads(body)
        version = answer["model_version"]
        self.answered.add(version)
        if version not in self._row:
            return f"answered by {version}, which must not serve"
        if which == 1:  # the candle stays the same, and so must the version's answer
            first = self._candle.setdefault(version, body)
            return None if body == first else f"{version} answers {body!r} and {first!r}"
        found = answer["items"][0]["probabilities"]
        if np.allclose([found[name] for name in CLASSES], self._row[version], atol=1e-5):
            return None
        return f"{version} answers {found}, not {self._row[version]}"
