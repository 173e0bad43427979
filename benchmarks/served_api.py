"""The API to be measured: two workers and a mongod as processes, and champions of the product's size."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pydantic import SecretStr
from pymongo.database import Database
from sklearn.ensemble import RandomForestClassifier

from cryptobot.features import FEATURE_SET
from cryptobot.learning.algorithms import RANDOM_FOREST, SEED
from cryptobot.learning.export import forest_to_onnx
from cryptobot.serving import registry
from cryptobot.serving.bundle import write_bundle
from cryptobot.serving.manifest import GoldenRow
from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from cryptobot.storage.health import live_instances
from infra.local import mongod
from tests.api.candles import candles
from tests.api.workers import served_versions, workers
from tests.servers import free_port, running, wait_until
from tests.serving.bundles import KEY, manifest

SYMBOL = "BTCUSDT"
WORKERS = 2
_ROWS = 20_000
_MADE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Model:
    """A forest, and what of it is in a bundle."""

    forest: RandomForestClassifier
    onnx: bytes
    golden_rows: tuple[GoldenRow, ...]


@dataclass(frozen=True)
class ServedApi:
    """The running API, and where it reads."""

    settings: Settings
    database: Database[Document]
    mongod_pid: int

    def await_served(self, version: str) -> None:
        """Wait until every worker reports to serve ``version``."""
        wait_until(
            lambda: served_versions(self.database) == [version] * WORKERS,
            limit=60,
            what=f"{version} at every worker",
            pause=0.005,
        )

    def pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [worker["detail"]["pid"] for worker in live_instances(self.database, "api")]


def trained(seed: int = 0) -> Model:
    """Return a forest of the product's size: 200 trees of depth 8, on rows that hold nothing to learn."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(_ROWS, len(FEATURE_SET.names))).astype(np.float32)
    forest = RandomForestClassifier(
        200, max_depth=8, min_samples_leaf=20, max_samples=0.1, random_state=SEED + seed, n_jobs=1
    ).fit(rows, random.integers(0, 3, _ROWS))
    onnx = forest_to_onnx(forest)
    known = rows[:5]
    golden = tuple(
        GoldenRow(features=tuple(map(float, row)), probabilities=tuple(map(float, expected)))
        for row, expected in zip(known, forest.predict_proba(known), strict=True)
    )
    return Model(forest, onnx, golden)


def add(api: ServedApi, model: Model, number: int) -> str:
    """Add a challenger of ``model`` to the registry; ``number`` makes its version another."""
    made, bundle = write_bundle(
        manifest(created_at=_MADE + timedelta(minutes=number), golden_rows=model.golden_rows),
        {RANDOM_FOREST: model.onnx},
        api.settings.bundle_key,
    )
    return registry.add_challenger(api.database, made.document(), bundle)


@contextlib.contextmanager
def running_api() -> Iterator[ServedApi]:
    """Run an empty mongod, and the API with two workers on it, until the block ends."""
    port, mongo_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="cryptobot-serving-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        settings = Settings(
            _env_file=None,
            mongo_uri=SecretStr(mongod.uri(mongo_port)),
            mongo_database="bench",
            token_key=SecretStr("a key of 32 bytes and more for benchmarks"),
            bundle_key=KEY,
            bundle_load_seconds=1,
            api_port=port,
            api_url=f"http://127.0.0.1:{port}",
            api_workers=WORKERS,
            docs_dir=folder / "docs",
        )
        server = running(
            mongod.command(mongo_port, folder / "data", cache_gb=0.25),
            ready=lambda: mongod.initiate(mongo_port),
            log=folder / "mongod.log",
        )
        with server as mongod_process:
            database = connect(settings)
            ensure_collections(database)
            for symbol in settings.symbols:
                database.historical_data.insert_many(candles(symbol, count=120))
            with workers(settings, folder / "api.log"):
                yield ServedApi(settings, database, mongod_process.pid)
            database.client.close()
