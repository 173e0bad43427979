"""JupyterLab as `make notebook` starts it."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from cryptobot.settings import ROOT
from tests.servers import free_port, running


@pytest.mark.slow
def test_is_for_this_machine_and_who_has_the_token(kernels: Path, tmp_path: Path) -> None:
    port, token = free_port(), secrets.token_hex(16)
    address = f"http://127.0.0.1:{port}"
    config = ROOT / "notebooks" / "jupyter_lab_config.py"

    def ready() -> bool:
        return httpx.get(f"{address}/login").status_code == httpx.codes.OK

    with running(
        [sys.executable, "-m", "jupyterlab", f"--config={config}", f"--ServerApp.port={port}"],
        ready=ready,
        log=tmp_path / "log",
        env={"JUPYTER_TOKEN": token},
    ) as server:
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(server.pid).net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
        notebook = f"{address}/api/contents/notebooks/exploration.ipynb"
        assert httpx.get(notebook).status_code == httpx.codes.FORBIDDEN
        found = httpx.get(notebook, headers={"Authorization": f"token {token}"}).json()
        assert found["type"] == "notebook"
