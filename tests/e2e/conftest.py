"""One run of the whole product per market, shared by the tests of that market."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.product import RUN_LIMIT_S, Product


def ran(product: Product) -> Product:
    """Run the product to its end and return it; fails with what it printed."""
    run = product.command("run", limit_s=RUN_LIMIT_S)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    return product


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Product]:
    """The product after `make run` on the recorded candles."""
    product = Product.below(tmp_path_factory.mktemp("replay"), REPLAY_DIR=str(shared_data / "klines"))
    try:
        yield ran(product)
    finally:
        product.command("stop")


@pytest.fixture
def synthetic(tmp_path: Path) -> Iterator[Product]:
    """An installation on the synthetic market, not yet started."""
    product = Product.below(tmp_path, CRYPTOBOT_HISTORY_DAYS="60", CRYPTOBOT_HISTORY_DAYS_1M="2")
    try:
        yield product
    finally:
        product.command("stop")
