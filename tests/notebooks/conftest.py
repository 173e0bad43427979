"""One seeded database for all notebooks, and what their kernels find in the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import connect
from tests.notebooks.market import seed


@pytest.fixture(scope="package")
def kernels(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The environment of kernels, with nothing of this machine's user; returns a folder of theirs."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            patch.setenv(f"JUPYTER_{kind}_DIR", str(folder / kind.lower()))
        for name in ("IPYTHONDIR", "MPLCONFIGDIR"):
            patch.setenv(name, str(folder / name.lower()))
        patch.setenv("CRYPTOBOT_ENV_FILE", os.devnull)
        patch.setenv("CRYPTOBOT_MONGO_URI", mongo_uri)
        yield folder


@pytest.fixture(scope="package")
def market(mongo_uri: str, kernels: Path) -> Iterator[str]:
    """The name of a database with a small market in it, and all that is made of that."""
    name = "test_notebooks"
    database = connect(Settings(_env_file=None, mongo_uri=SecretStr(mongo_uri), mongo_database=name))
    ensure_collections(database)
    seed(database)
    yield name
    database.client.drop_database(name)
    database.client.close()
