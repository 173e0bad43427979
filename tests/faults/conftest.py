"""toxiproxy for the tests of faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.toxiproxy import Toxiproxy, ToxiproxyUnavailableError, binary, running_toxiproxy


@pytest.fixture
def toxiproxy(tmp_path: Path) -> Iterator[Toxiproxy]:
    """A running toxiproxy, built once a machine."""
    try:
        binary()
    except ToxiproxyUnavailableError as error:
        pytest.skip(f"{error} (2026-11-22)")
    with running_toxiproxy(tmp_path) as made:
        yield made
