"""Plain `make run`, on the synthetic market, with a service killed on the way."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from pymongo.errors import PyMongoError

from tests.e2e.product import RUN_LIMIT_S, Product
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(RUN_LIMIT_S + 120)]


def under_way(product: Product) -> bool:
    """Tell whether the main job has begun to write candles."""
    try:
        return product.database().historical_data.find_one() is not None
    except PyMongoError:
        return False


def kill(product: Product, name: str) -> int:
    """Kill the service's process as the kernel would when memory is short; return its id."""
    group = int((product.folder / "state" / "supervisor" / f"{name}.group").read_text())
    os.kill(group, signal.SIGKILL)
    return group


def test_a_run_ends_with_champions_though_a_service_is_killed_and_stops_whole(synthetic: Product) -> None:
    run = synthetic.start()
    try:
        wait_until(lambda: under_way(synthetic), limit=300, what="candles in historical_data", pause=0.5)
        killed = kill(synthetic, "mongod")
        output, _ = run.communicate(timeout=RUN_LIMIT_S)
    finally:
        run.kill()
    assert run.returncode == 0, output
    assert not psutil.pid_exists(killed)
    with synthetic.client() as api:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            champion = api.get("/v1/models/champion", params={"symbol": symbol}).json()
            prediction = api.post("/v1/predictions", json={"symbol": symbol}).json()
            assert prediction["model_version"] == champion["version"]
    assert synthetic.database().historical_data.count_documents({"interval": "15m"}) >= 2 * 59 * 96
    assert synthetic.command("status").returncode == 0
    assert synthetic.processes()
    assert synthetic.command("stop").returncode == 0
    wait_until(lambda: not synthetic.processes(), limit=10, what="the end of every process of the run")
