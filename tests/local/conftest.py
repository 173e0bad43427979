"""A supervisor of the test's own, always stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.layout import Layout
from infra.local.supervisor import Supervisor


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state", tmp_path / "logs", "test")
    made.create()
    return made


@pytest.fixture
def supervisor(layout: Layout) -> Iterator[Supervisor]:
    made = Supervisor(layout)
    yield made
    made.stop()


@pytest.fixture
def environment() -> dict[str, str]:
    """The caller's environment without what belongs to another run."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CRYPTOBOT_")}
