"""JupyterLab as `make notebook` starts it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers import free_port, running

COMMAND = [str(Path(sys.executable).with_name("cryptobot")), "notebook"]


@pytest.mark.slow
def test_is_for_this_machine_and_who_has_the_token(kernels: Path, tmp_path: Path) -> None:
    port, token = free_port(), secrets.token_hex(16)
    address = f"http://127.0.0.1:{port}"
    note = tmp_path / "supervisor" / "run.json"
    note.parent.mkdir()
    note.write_text(
        json.dumps({"name": "replay", "title": "a record", "variables": {"CRYPTOBOT_SIGNAL_INTERVAL": "1m"}})
    )

    def ready() -> bool:
        return httpx.get(f"{address}/login").status_code == httpx.codes.OK

    with running(
        COMMAND,
        ready=ready,
        log=tmp_path / "log",
        env={"JUPYTER_TOKEN": token, "JUPYTER_PORT": str(port), "CRYPTOBOT_STATE_DIR": str(tmp_path)},
    ) as server:
        assert psutil.Process(server.pid).environ()["CRYPTOBOT_SIGNAL_INTERVAL"] == "1m"
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
        page = httpx.get(f"{address}/lab", headers={"Authorization": f"token {token}"}).text
        assert '"buildAvailable": false' in page  # it never asks to be built
        assert "@jupyterlab/apputils-extension:announcements" in page  # disabled: it would ask for news


def test_without_a_run_it_says_how_to_start_one(tmp_path: Path) -> None:
    ended = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "CRYPTOBOT_STATE_DIR": str(tmp_path)},
    )
    assert ended.returncode == 1
    assert ended.stderr == f"cryptobot: nothing runs from {tmp_path}; start it with `make run`\n"
