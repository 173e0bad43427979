"""The local replica set of one."""

from __future__ import annotations

from pathlib import Path

from infra.local import mongod
from tests.servers import free_port, running


def test_data_of_another_port_is_served_on_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for log in ("first", "second"):
        port = free_port()
        with running(
            mongod.command(port, tmp_path / "data", cache_gb=0.25),
            ready=lambda port=port: mongod.initiate(port),
            log=tmp_path / log,
        ):
            assert mongod.initiate(port)
