"""The supervisor of a local run: its process, and what it is asked."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from infra.local.errors import LocalRunError
from infra.local.launch import MARKER
from infra.local.layout import Layout
from infra.local.services import STORES, Service
from infra.local.supervisor_configuration import configuration
from infra.local.supervisor_socket import SocketTransport

_START_LIMIT_SECONDS = 20.0
_STOP_LIMIT_SECONDS = 30.0
_GRACE_SECONDS = 2.0
_ALIVE = {"STARTING", "RUNNING", "BACKOFF", "STOPPING"}


class Supervisor:
    """The running supervisor of one state folder, asked over its UNIX socket."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def _rpc(self) -> Any:
        transport = SocketTransport(self._layout.control_socket)
        return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def pid(self) -> int | None:
        """Return the supervisor's process id, or None when it does not answer."""
        try:
            return int(self._rpc.getPID())
        except (OSError, http.client.HTTPException):
            return None

    def runs_with(self, services: Iterable[Service], environment: Mapping[str, str]) -> bool:
        """Tell whether a supervisor runs, with this configuration and this environment."""
        note = self._layout.supervisor / "digest"
        return (
            self.pid() is not None
            and note.exists()
            and note.read_text() == self._digest(services, environment)
        )

    def launch(self, services: Sequence[Service], environment: Mapping[str, str]) -> None:
        """Start the supervisor; it starts no service by itself."""
        file = self._layout.supervisor / "supervisord.conf"
        file.write_text(configuration(services, self._layout))
        file.chmod(0o600)
        self._start(file, {**environment, MARKER: str(self._layout.state), "SPT_NOENV": "1"})
        (self._layout.supervisor / "digest").write_text(self._digest(services, environment))

    def _digest(self, services: Iterable[Service], environment: Mapping[str, str]) -> str:
        ours = sorted((name, value) for name, value in environment.items() if _concerns_us(name))
        return hashlib.sha256(repr((configuration(services, self._layout), ours)).encode()).hexdigest()

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
        if self.states()[service]["statename"] not in _ALIVE:
            self._rpc.startProcess(service, False)

    def states(self) -> dict[str, dict[str, Any]]:
        """Return what the supervisor knows of each service (statename, pid, start, now), by name."""
        return {info["name"]: info for info in self._rpc.getAllProcessInfo()}

    def stop(self) -> int:
        """End the supervisor and every process of the run; return how many had to be killed."""
        running = self.processes()
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):
            names = set(self.states())
            self._stop_all(names - STORES)  # while what they write to is still there
            self._stop_all(names & STORES)
            self._rpc.shutdown()
            psutil.wait_procs(list(running), timeout=_GRACE_SECONDS)
        left = {*self.processes(), *(process for process in running if process.is_running())}
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(list(left), timeout=10)
        folder = self._layout.supervisor
        notes = (
            folder / "supervisord.pid",
            folder / "digest",
            self._layout.run_note,
            self._layout.control_socket,
        )
        for note in notes:
            note.unlink(missing_ok=True)
        return len(left)

    def _stop_all(self, names: Iterable[str]) -> None:
        stopping = {name for name in names if self.states()[name]["statename"] in _ALIVE}
        for name in stopping:
            with contextlib.suppress(xmlrpc.client.Fault):  # it has ended by itself meanwhile
                self._rpc.stopProcess(name, False)
        deadline = time.monotonic() + _STOP_LIMIT_SECONDS
        while time.monotonic() < deadline:
            if not any(
                info["statename"] in _ALIVE for info in self.states().values() if info["name"] in stopping
            ):
                return
            time.sleep(0.1)

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
