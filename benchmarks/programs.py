"""Programs run and watched: what they print and when, their memory at its peak, their processor time."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cryptobot.settings import ROOT
from tests.servers import stop

_PAUSE_S = 0.25
_LIMIT_S = 900.0


class ProgramFailedError(RuntimeError):
    """A program ended with another code than 0; the message ends with what it printed."""


@dataclass
class Usage:
    """What a process and its descendants have used, by what was seen at each look.

    Memory is the proportional set size, MiB: what several processes share is counted once.
    """

    root: psutil.Process
    peak_mb: float = 0.0
    _cpu: dict[int, tuple[str, float]] = field(default_factory=dict)

    def look(self) -> None:
        """Take in what the processes use now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = [self.root, *self.root.children(recursive=True)]
            self.peak_mb = max(self.peak_mb, sum(map(self._seen, processes)))

    def cpu_s(self) -> dict[str, float]:
        """Return processor seconds by the program's name."""
        by_name: dict[str, float] = defaultdict(float)
        for name, seconds in self._cpu.values():
            by_name[name] += seconds
        return dict(by_name)

    def _seen(self, process: psutil.Process) -> float:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            self._cpu[process.pid] = (process.name(), cpu_s(process))
            return float(process.memory_full_info().pss) / 2**20
        return 0.0


@dataclass(frozen=True)
class Finished:
    """A program that ended well: its lines, each with the moment at which it came, and its use."""

    lines: list[tuple[float, str]]
    usage: Usage

    @property
    def text(self) -> str:
        """All that it printed."""
        return "".join(line for _, line in self.lines)

    def seconds_since(self, words: str) -> float:
        """Return the seconds from the first line with ``words`` to the last line of all."""
        began = next(moment for moment, line in self.lines if words in line)
        return self.lines[-1][0] - began


def watch(command: Sequence[str], env: Mapping[str, str] | None = None) -> Finished:
    """Run ``command`` to its end and return what was seen; with all it started, it never outlives this.

    Raises :class:`ProgramFailedError` when it fails, or is not done within a quarter of an hour.
    """
    lines: list[tuple[float, str]] = []
    with _started(command, env) as process, _watched(process) as usage:
        lines.extend((time.monotonic(), line.decode(errors="replace")) for line in process.stdout or ())
        code = process.wait()
    if code:
        printed = "".join(line for _, line in lines[-30:])
        raise ProgramFailedError(f"{Path(command[0]).name} ended with {code}:\n{printed}")
    return Finished(lines, usage)


def cpu_s(process: psutil.Process) -> float:
    """Return the processor seconds that one process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def _started(command: Sequence[str], env: Mapping[str, str] | None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    limit = threading.Timer(_LIMIT_S, stop, [process])
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        stop(process)


@contextlib.contextmanager
def _watched(process: subprocess.Popen[bytes]) -> Iterator[Usage]:
    usage, over = Usage(psutil.Process(process.pid)), threading.Event()

    def look() -> None:
        while not over.wait(_PAUSE_S):
            usage.look()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield usage
    finally:
        over.set()
        watcher.join()
