"""The supervisor with real processes: restart, order, children, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from configparser import RawConfigParser
from pathlib import Path

import psutil
import pytest

from cryptobot.settings import Settings
from infra.local import health, mongod
from infra.local.environment import Installation, save
from infra.local.errors import LocalRunError
from infra.local.layout import Layout
from infra.local.market import Market
from infra.local.progress import Progress
from infra.local.services import Service, declare
from infra.local.start import Starter
from infra.local.status import Row, measure, show
from infra.local.supervisor import Supervisor
from infra.local.supervisor_configuration import configuration
from tests.servers import free_port, wait_until

PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session={daemon})
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


def sleeper(name: str, folder: Path, *, needs: tuple[str, ...] = (), daemon: bool = False) -> Service:
    """A service with a child process, healthy once it has written the child's id."""
    note = folder / f"{name}.child"
    script = folder / f"{name}.py"
    script.write_text(PARENT.format(daemon=daemon))
    argv = (sys.executable, str(script), str(note))
    return Service(name, argv, note.exists, needs=needs)


def started(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str], services: list[Service]
) -> None:
    supervisor.launch(services, environment)
    Starter(supervisor, layout, environment, Progress()).start(services)


def exists(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_the_configuration_declares_every_lasting_service(layout: Layout) -> None:
    services = declare(Settings(_env_file=None), layout)
    parsed = RawConfigParser()
    parsed.read_string(configuration(services, layout))
    lasting = {f"program:{service.name}" for service in services if not service.once}
    assert {name for name in parsed.sections() if name.startswith("program:")} == lasting
    for section in lasting:
        program = parsed[section]
        assert program["autorestart"] == program["stopasgroup"] == program["killasgroup"] == "true"
        assert program["stdout_logfile_maxbytes"] == "10MB"


def test_a_percent_sign_in_a_path_is_no_expansion(tmp_path: Path, environment: dict[str, str]) -> None:
    layout = Layout(tmp_path / "100%s", tmp_path / "logs", "test")
    layout.create()
    supervisor = Supervisor(layout)
    try:
        started(supervisor, layout, environment, [sleeper("one", layout.data)])
        assert supervisor.states()["one"]["statename"] in {"STARTING", "RUNNING"}
    finally:
        supervisor.stop()


def test_a_killed_mongod_comes_back_with_its_data(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    port = free_port()
    settings = Settings(_env_file=None, mongo_uri=mongod.uri(port))  # type: ignore[arg-type]
    services = [
        Service(
            "mongod",
            tuple(mongod.command(port, layout.mongod, cache_gb=0.25)),
            health.replica_set(settings.mongo_uri.get_secret_value()),
        )
    ]
    started(supervisor, layout, environment, services)
    killed = supervisor.states()["mongod"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: supervisor.states()["mongod"]["pid"] not in {0, killed}, limit=20, what="mongod's new process"
    )
    wait_until(lambda: _healthy(services[0]), limit=30, what="a primary after the restart")


def _healthy(service: Service) -> bool:
    with contextlib.suppress(*health.NOT_YET):
        return service.check()
    return False


def test_services_start_after_those_that_they_need(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    first = sleeper("first", layout.data)
    step = Service(
        "step", (sys.executable, "-c", f"open({str(layout.data / 'step')!r}, 'x')"), lambda: True,
        needs=("first",), once=True,
    )  # fmt: skip
    second = sleeper("second", layout.data, needs=("step",))
    started(supervisor, layout, environment, [first, step, second])
    moments = [(layout.data / name).stat().st_mtime_ns for name in ("first.child", "step", "second.child")]
    assert moments == sorted(moments)


def test_what_a_failed_service_said_last_is_told(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    broken = Service(
        "broken", (sys.executable, "-c", "raise SystemExit('the disk is on fire')"), lambda: False
    )
    waiting = sleeper("waiting", layout.data, needs=("broken",))
    with pytest.raises(LocalRunError, match=r"broken does not stay up \(the disk is on fire\); its log is"):
        started(supervisor, layout, environment, [broken, waiting])
    assert not (layout.data / "waiting.child").exists()


def test_a_restart_ends_what_the_killed_process_left_behind(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    service = sleeper("parent", layout.data)
    started(supervisor, layout, environment, [service])
    parent, child = supervisor.states()["parent"]["pid"], int((layout.data / "parent.child").read_text())
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not exists(child), limit=20, what="the end of the orphan")
    wait_until(lambda: supervisor.states()["parent"]["pid"] not in {0, parent}, limit=20, what="a new parent")


def test_stopping_leaves_no_process_not_even_a_daemon(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    started(supervisor, layout, environment, [sleeper("parent", layout.data, daemon=True)])
    daemon = int((layout.data / "parent.child").read_text())
    assert exists(daemon)
    supervisor.stop()
    assert not exists(daemon)
    assert supervisor.processes() == set()
    assert supervisor.pid() is None


def test_what_a_killed_supervisor_left_behind_is_found(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    started(supervisor, layout, environment, [sleeper("parent", layout.data)])
    pid = supervisor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: supervisor.pid() is None, limit=10, what="the end of the supervisor")
    assert len(supervisor.processes()) == 2
    supervisor.stop()
    assert supervisor.processes() == set()


def test_a_changed_environment_asks_for_another_supervisor(
    supervisor: Supervisor, layout: Layout, environment: dict[str, str]
) -> None:
    services = [sleeper("one", layout.data)]
    assert not supervisor.runs_with(services, environment)
    supervisor.launch(services, environment)
    assert supervisor.runs_with(services, environment)
    assert not supervisor.runs_with(services, {**environment, "CRYPTOBOT_API_PORT": "8123"})


def test_status_counts_children_and_names_what_is_not_healthy(
    supervisor: Supervisor,
    layout: Layout,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = [sleeper("well", layout.data), Service("sick", ("sleep", "600"), lambda: False)]
    monkeypatch.setattr("infra.local.status.declare", lambda *_: services)
    installation = Installation(Market("test", "a test", {}), Settings(_env_file=None), layout, {})
    save(installation)
    supervisor.launch(services, environment)
    for service in services:
        supervisor.start(service.name)
    wait_until(
        lambda: all(info["statename"] == "RUNNING" for info in supervisor.states().values()),
        limit=20,
        what="both running",
    )
    began = time.monotonic()
    rows = {row.name: row for row in measure(installation)}
    assert time.monotonic() - began < 20
    assert rows["well"].healthy
    assert not rows["sick"].healthy
    assert rows["well"].memory_mib > rows["sick"].memory_mib > 0
    show([*rows.values(), Row("absent", "STOPPED", False, None, 0, 0, 0)])
    printed = capsys.readouterr().out
    assert "NOT healthy" in printed
    assert "total" in printed
