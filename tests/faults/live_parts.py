"""The live path as processes: each can be killed, paused and stopped, and is started again when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.servers import stop, wait_until

_LOOK_S = 0.2
_STOP_S = 30.0
_READY_S = 60.0


class Part:
    """One process of the path, run again on the same files and ports whenever it has ended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        ready_s: float = _READY_S,
    ) -> None:
        self.name = name
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.ended_by_itself = 0
        self._command = command
        self._ready = ready
        self._ready_s = ready_s
        self._env = {**os.environ, "TMPDIR": str(log.parent), **(env or {})}
        self._held = True
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        with self._lock:
            self._held = False
            self._spawn()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until the process answers."""
        wait_until(self._is_ready, limit=self._ready_s, what=f"{self.name}, see {self.log}")

    def revive(self) -> None:
        """Start the process again when it has ended and is not held back; what a supervisor does."""
        with self._lock:
            if not self._held and self.process is not None and self.process.poll() is not None:
                self.ended_by_itself += 1
                self._spawn()

    def end(self) -> None:
        """End the process for good."""
        with self._lock:
            self._held = True
            if self.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGCONT)
                stop(self.process)

    @contextlib.contextmanager
    def killed(self) -> Iterator[None]:
        """Kill the process with -9; it is started again when the block ends."""
        with self._away(signal.SIGKILL):
            yield

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Ask the process to stop, and wait for that; it is started again when the block ends."""
        with self._away(signal.SIGTERM):
            yield

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze the process until the block ends."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def _away(self, signum: signal.Signals) -> Iterator[None]:
        with self._lock:
            self._held = True
            assert self.process is not None, f"{self.name} was never started"
            os.killpg(self.process.pid, signum)
            self.process.wait(_STOP_S)
        try:
            yield
        finally:
            with self._lock:
                self._held = False
                self._spawn()

    def _spawn(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._env,
                start_new_session=True,
            )

    def _is_ready(self) -> bool:
        with contextlib.suppress(Exception):  # not yet; the wait for it is limited
            return self._ready()
        return False


class Supervisor(threading.Thread):
    """Starts every part again that has ended, as the product's supervisor does."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._parts = parts
        self._over = threading.Event()

    def run(self) -> None:
        """Watch the parts until :meth:`end`."""
        while not self._over.wait(_LOOK_S):
            for part in self._parts:
                part.revive()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        self.join()


@contextlib.contextmanager
def supervised(parts: Sequence[Part]) -> Iterator[None]:
    """Start the parts in order, keep them alive, and end them in reverse."""
    supervisor = Supervisor(parts)
    try:
        for part in parts:
            part.start()
        supervisor.start()
        yield
    finally:
        if supervisor.is_alive():
            supervisor.end()
        for part in reversed(parts):
            part.end()
