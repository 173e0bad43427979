"""Real servers for the tests: started on free ports, waited for, and always stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
BUSY = 3
MINUTE_S = 60


class ServerFailedError(RuntimeError):
    """A server ended, or was not ready within its limit; the message ends with its log."""


def free_port() -> int:
    """Return a port of loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], T], *, limit: float, what: str, pause: float = 0.05) -> T:
    """Return the first true value of ``condition``; after ``limit`` seconds, fail naming ``what``.

    A limit under a minute is meant for a machine that does nothing else, and others get more.
    """
    deadline = time.monotonic() + (limit * BUSY if limit < MINUTE_S else limit)
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not seen within {limit:g} s")
        time.sleep(pause)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    ready: Callable[[], bool],
    log: Path,
    limit: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in a process group of its own until the block ends.

    ``ready`` is asked until it is true (an ``OSError`` or a driver's error counts as not yet).
    Its temporary files are kept beside the log, where they go with the test's own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(log.parent), **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        _await(process, ready, limit, log)
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes], limit: float = 20) -> None:
    """End the process's whole group: asked first, then killed after ``limit`` seconds."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _await(process: subprocess.Popen[bytes], ready: Callable[[], bool], limit: float, log: Path) -> None:
    deadline = time.monotonic() + limit
    while True:
        if process.poll() is not None:
            raise ServerFailedError(f"ended with {process.returncode}:\n{_tail(log)}")
        try:
            if ready():
                return
        except Exception as error:
            if time.monotonic() > deadline:
                raise ServerFailedError(f"{error}\n{_tail(log)}") from error
        if time.monotonic() > deadline:
            raise ServerFailedError(f"not ready within {limit:g} s:\n{_tail(log)}")
        time.sleep(0.1)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])
