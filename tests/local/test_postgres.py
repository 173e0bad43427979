"""The server that keeps Airflow's metadata: set up once, as whoever runs the tests, killed and back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from infra.local import postgres
from infra.local.layout import Layout
from infra.local.progress import Progress
from infra.local.services import Service
from infra.local.start import Starter
from infra.local.supervisor import Supervisor
from tests.servers import wait_until


def test_a_killed_server_comes_back(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    service = Service(
        "postgres",
        tuple(postgres.command(layout.postgres, layout.sockets)),
        lambda: postgres.answers(layout.sockets),
        prepare=lambda: postgres.initialize(layout.postgres),
        stop_signal="INT",
    )
    supervisor.launch([service], environment)
    Starter(supervisor, layout, environment, Progress()).start([service])
    killed = supervisor.states()["postgres"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: supervisor.states()["postgres"]["pid"] not in {0, killed} and service.check(),
        limit=30,
        what="the server's return",
    )


def test_a_cluster_is_made_once(tmp_path: Path) -> None:
    postgres.initialize(tmp_path / "data")
    made = (tmp_path / "data" / "PG_VERSION").stat().st_mtime_ns
    postgres.initialize(tmp_path / "data")
    assert (tmp_path / "data" / "PG_VERSION").stat().st_mtime_ns == made


def test_half_a_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "data.partial").mkdir()
    (tmp_path / "data.partial" / "half").write_text("")
    postgres.initialize(tmp_path / "data")
    assert not (tmp_path / "data" / "half").exists()


def test_nothing_answers_where_no_server_is(tmp_path: Path) -> None:
    assert not postgres.answers(tmp_path)
