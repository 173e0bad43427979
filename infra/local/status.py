"""What runs, and what it costs: a row for each service."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from infra.local.environment import Installation
from infra.local.errors import LocalRunError
from infra.local.services import Service, declare
from infra.local.start import is_healthy
from infra.local.supervisor import Supervisor

_WINDOW_SECONDS = 2.0


@dataclass(frozen=True)
class Row:
    """One service as it is now; what its child processes use is counted in."""

    name: str
    state: str
    healthy: bool
    pid: int | None
    uptime_s: float
    cpu_pct: float
    """Of one core, over a window of two seconds."""
    memory_mib: float
    """Proportional set size: memory that processes share is counted once."""


def measure(installation: Installation) -> list[Row]:
    """Return a row for each service, and one for the supervisor with whatever else is of the run.

    Raises
    ------
    LocalRunError
        When there is no supervisor to ask.
    """
    supervisor = Supervisor(installation.layout)
    if supervisor.pid() is None:
        raise LocalRunError("the supervisor does not answer; `make run` starts it again")
    services = [one for one in declare(installation.settings, installation.layout) if not one.once]
    states = supervisor.states()
    own = {name: _tree(info["pid"]) for name, info in states.items()}
    others = supervisor.processes() - set().union(*own.values())
    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        health = dict(zip((one.name for one in services), pool.map(is_healthy, services), strict=True))
    groups = {**own, "supervisord": others}
    before = {name: _cpu_seconds(group) for name, group in groups.items()}
    time.sleep(_WINDOW_SECONDS)
    cpu_pct = {
        name: max(0.0, _cpu_seconds(group) - before[name]) / _WINDOW_SECONDS * 100
        for name, group in groups.items()
    }
    rows = [_row(service, states, health, cpu_pct, own) for service in services]
    pid = supervisor.pid()
    uptime = time.time() - psutil.Process(pid).create_time() if pid else 0.0
    rows.append(Row("supervisord", "RUNNING", True, pid, uptime, cpu_pct["supervisord"], _memory_mib(others)))
    return rows


def _row(
    service: Service,
    states: dict[str, dict[str, int | str]],
    health: dict[str, bool],
    cpu_pct: dict[str, float],
    own: dict[str, set[psutil.Process]],
) -> Row:
    info = states.get(service.name, {"statename": "ABSENT", "pid": 0, "start": 0, "now": 0})
    running = info["statename"] == "RUNNING"
    return Row(
        service.name,
        str(info["statename"]),
        running and health[service.name],
        int(info["pid"]) or None,
        float(int(info["now"]) - int(info["start"])) if running else 0.0,
        cpu_pct.get(service.name, 0.0),
        _memory_mib(own.get(service.name, set())),
    )


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a table, with their sums."""
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "health"):
        table.add_column(heading)
    for heading in ("pid", "up", "CPU %", "MiB"):
        table.add_column(heading, justify="right")
    cpu_pct = memory_mib = 0.0
    for row in rows:
        cpu_pct, memory_mib = cpu_pct + row.cpu_pct, memory_mib + row.memory_mib
        health = "healthy" if row.healthy else "NOT healthy"
        style = None if row.healthy else "red"
        figures = (
            str(row.pid or "-"),
            _duration(row.uptime_s),
            f"{row.cpu_pct:.1f}",
            f"{row.memory_mib:.0f}",
        )
        table.add_row(row.name, row.state.lower(), health, *figures, style=style)
    table.add_row("total", "", "", "", "", f"{cpu_pct:.1f}", f"{memory_mib:.0f}", style="bold")
    Console(width=None if sys.stdout.isatty() else 100, highlight=False).print(table)


def _tree(pid: int) -> set[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return {process, *process.children(recursive=True)} if pid else set()
    except psutil.NoSuchProcess:
        return set()


def _cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # it has ended
        total += times.user + times.system
    return total


def _memory_mib(processes: Iterable[psutil.Process]) -> float:
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue  # it has ended
    return total / 2**20


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
