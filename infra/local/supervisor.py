"""The supervisor of a local run: its configuration, its process, and what it is asked."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from cryptobot.settings import ROOT
from infra.local.errors import LocalRunError
from infra.local.launch import MARKER
from infra.local.layout import Layout
from infra.local.services import Service

_START_LIMIT_SECONDS = 20.0


def configuration(services: Iterable[Service], layout: Layout) -> str:
    """Return the text of the supervisor's configuration file."""
    folder = layout.supervisor
    head = f"""\
[unix_http_server]
file = {_plain(layout.socket)}
chmod = 0700

[supervisord]
logfile = {_plain(layout.log("supervisord"))}
logfile_maxbytes = 10MB
logfile_backups = 2
pidfile = {_plain(folder / "supervisord.pid")}
childlogdir = {_plain(layout.logs)}
directory = {_plain(ROOT)}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n".join([head, *(_program(service, layout) for service in services if not service.once)])


def _program(service: Service, layout: Layout) -> str:
    command = shlex.join([sys.executable, "-m", "infra.local.launch", service.name, "--", *service.argv])
    environment = ",".join(f'{name}="{_plain(value)}"' for name, value in service.environment.items())
    return f"""\
[program:{service.name}]
command = {_plain(command)}
environment = {environment}
directory = {_plain(ROOT)}
autostart = false
autorestart = true
startsecs = 1
startretries = 20
stopasgroup = true
killasgroup = true
stopwaitsecs = {service.stop_seconds}
redirect_stderr = true
stdout_logfile = {_plain(layout.log(service.name))}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""


def _plain(value: object) -> str:
    """Return ``value`` with the percent signs doubled, which the supervisor would expand."""
    return str(value).replace("%", "%%")


class Supervisor:
    """The running supervisor of one state folder, asked over its UNIX socket."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def _rpc(self) -> Any:
        return xmlrpc.client.ServerProxy(
            "http://localhost", transport=_Transport(self._layout.socket)
        ).supervisor

    def pid(self) -> int | None:
        """Return the supervisor's process id, or None when it does not answer."""
        try:
            return int(self._rpc.getPID())
        except (OSError, http.client.HTTPException):
            return None

    def market(self) -> str | None:
        """Return the name of the market whose services run, or None when none do."""
        note = self._layout.supervisor / "market"
        return note.read_text() if note.exists() and self.pid() else None

    def ensure(self, services: list[Service], environment: Mapping[str, str]) -> None:
        """Have a supervisor run with this configuration and environment; restart one that differs."""
        text = configuration(services, self._layout)
        ours = sorted((name, value) for name, value in environment.items() if _concerns_us(name))
        digest = hashlib.sha256(repr((text, ours)).encode()).hexdigest()
        note = self._layout.supervisor / "digest"
        if self.pid() and note.exists() and note.read_text() == digest:
            return
        self.stop()
        self._layout.create()
        file = self._layout.supervisor / "supervisord.conf"
        file.write_text(text)
        file.chmod(0o600)
        (self._layout.supervisor / "market").write_text(self._layout.market)
        self._start(file, {**environment, MARKER: str(self._layout.state), "SPT_NOENV": "1"})
        note.write_text(digest)

    def _start(self, file: Path, environment: Mapping[str, str]) -> None:
        command = [str(Path(sys.executable).parent / "supervisord"), "-c", str(file)]
        run = subprocess.run(  # noqa: S603
            command, env=dict(environment), capture_output=True, text=True, start_new_session=True, timeout=60
        )
        deadline = time.monotonic() + _START_LIMIT_SECONDS
        while self.pid() is None:
            if run.returncode or time.monotonic() > deadline:
                said = (run.stderr or run.stdout).strip().splitlines()[-1:] or [""]
                raise LocalRunError(
                    f"the supervisor did not start; see {self._layout.log('supervisord')} {said[0]}"
                )
            time.sleep(0.05)

    def start(self, service: str) -> None:
        """Start ``service`` unless it runs; it may not be healthy yet when this returns."""
        if self.states()[service]["statename"] in {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}:
            self._rpc.startProcess(service, False)

    def states(self) -> dict[str, dict[str, Any]]:
        """Return what the supervisor knows of each service (statename, pid, start, now), by name."""
        return {info["name"]: info for info in self._rpc.getAllProcessInfo()}

    def stop(self) -> int:
        """End the supervisor and every process of the run; return how many had to be killed."""
        running = self.processes()
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):
            self._rpc.shutdown()
            _gone(running, limit=60)
        left = {*self.processes(), *(process for process in running if process.is_running())}
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _gone(left, limit=10)
        for name in ("supervisord.pid", "digest", "market"):
            (self._layout.supervisor / name).unlink(missing_ok=True)
        self._layout.socket.unlink(missing_ok=True)
        return len(left)

    def processes(self) -> set[psutil.Process]:
        """Return every process of the run: what the supervisor started, and all that carries its mark."""
        found = {process for process in psutil.process_iter() if self._is_ours(process)}
        if pid := self.pid():
            with contextlib.suppress(psutil.NoSuchProcess):
                supervisor = psutil.Process(pid)
                found |= {supervisor, *supervisor.children(recursive=True)}
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                bool(process.environ().get(MARKER) == str(self._layout.state)) and process.pid != os.getpid()
            )
        except (psutil.Error, OSError):
            return False


def _concerns_us(name: str) -> bool:
    return name.startswith(("CRYPTOBOT_", "AIRFLOW_", "REPLAY_", "EXCHANGE", "PYSPARK_", "SPARK_"))


def _gone(processes: Iterable[psutil.Process], limit: float) -> None:
    psutil.wait_procs(list(processes), timeout=limit)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)
