from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cryptobot.settings import Settings
from tests.exchange_server import running_exchange


@pytest.fixture(scope="package")
def exchange_url() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def settings(app_settings: Settings, exchange_url: str, tmp_path: Path) -> Settings:
    """Settings with a running exchange, and a folder of the test's own for the report."""
    return app_settings.model_copy(update={"rest_url": exchange_url, "docs_dir": tmp_path / "data_docs"})
