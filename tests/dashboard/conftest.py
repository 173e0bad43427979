from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import connect
from tests.dashboard.market import fill
from tests.servers import free_port, running

PASSWORD = "correct horse battery staple"


@dataclass
class Product:
    """The API and the dashboard, each a process of its own, on a database of their own."""

    database: Database[dict[str, Any]]
    folder: Path
    mongo_uri: str
    api_port: int = field(default_factory=free_port)
    dashboard_port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def sessions(self) -> Path:
        return self.folder / "sessions"

    def api(self) -> AbstractContextManager[Any]:
        return self._process("api.cli", f"http://127.0.0.1:{self.api_port}")

    def dashboard(self) -> AbstractContextManager[Any]:
        return self._process("dashboard.cli", self.address)

    def _process(self, module: str, address: str) -> AbstractContextManager[Any]:
        environment = {
            "CRYPTOBOT_ENV_FILE": "/dev/null",
            "CRYPTOBOT_MONGO_URI": self.mongo_uri,
            "CRYPTOBOT_MONGO_DATABASE": self.database.name,
            "CRYPTOBOT_ADMIN_PASSWORD": PASSWORD,
            "CRYPTOBOT_TOKEN_KEY": "a key of 32 bytes and more for tests",
            "CRYPTOBOT_API_PORT": str(self.api_port),
            "CRYPTOBOT_API_WORKERS": "1",
            "CRYPTOBOT_DASHBOARD_PORT": str(self.dashboard_port),
            "CRYPTOBOT_DASHBOARD_SESSIONS": str(self.sessions),
            "CRYPTOBOT_DOCS_DIR": str(self.folder / "docs"),
        }
        return running(
            [sys.executable, "-m", module],
            ready=lambda: httpx.get(f"{address}/livez").is_success,
            log=self.folder / f"{module}.log",
            env=environment,
        )


@pytest.fixture(scope="package")
def product(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The API and the dashboard at work on a market of two pairs."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    settings = Settings(_env_file=None, mongo_uri=SecretStr(mongo_uri), mongo_database=name)
    database = connect(settings)
    ensure_collections(database)
    fill(database, datetime.now(UTC))
    made = Product(database, tmp_path_factory.mktemp("dashboard"), mongo_uri)
    with contextlib.ExitStack() as stack:
        stack.callback(database.client.close)
        stack.callback(database.client.drop_database, name)
        stack.enter_context(made.api())
        stack.enter_context(made.dashboard())
        yield made


@pytest.fixture
def visitor(product: Product) -> Iterator[httpx.Client]:
    """A browser's plain requests, not logged in."""
    with httpx.Client(base_url=product.address) as client:
        yield client


@pytest.fixture
def viewer(visitor: httpx.Client) -> httpx.Client:
    """The same, logged in."""
    answer = visitor.post("/login", data={"username": "admin", "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return visitor
