"""Become a service's process, after ending what an earlier one of the same service left behind.

A service that is killed cannot take its children with it, and they would keep its ports and
queues. The supervisor therefore starts ``python -m infra.local.launch NAME -- command...``, which
ends the process group of the last run of NAME, notes its own and becomes the command (the process
id stays). Standard library only: it runs before every service.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

MARKER = "CRYPTOBOT_RUN"
"""Variable that every process of a local run carries; its value is the state folder."""

_LIMIT_SECONDS = 5.0


def end_group(group: int, run: str) -> None:
    """Kill the process group ``group``, if it still belongs to the run ``run``, and wait for it."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while any(_belongs(process, run) for process in members(group)) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        time.sleep(0.02)


def members(group: int) -> list[int]:
    """Return the ids of the running processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            # After the command's name, in brackets: state, parent, process group.
            state, _, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(entry.name))
    return found


def _belongs(process: int, run: str) -> bool:
    try:
        return f"{MARKER}={run}".encode() in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def main() -> None:
    """Entry point: ``NAME -- command...``."""
    name, _, *command = sys.argv[1:]
    run = os.environ[MARKER]
    note = Path(run) / "supervisor" / f"{name}.group"
    if note.exists():
        end_group(int(note.read_text()), run)
    note.write_text(str(os.getpgrp()))
    os.execvp(command[0], command)  # noqa: S606 - the command comes from the supervisor's configuration


if __name__ == "__main__":
    main()
