"""What a benchmark finds: figures held against what was promised, as a table and as a file."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured value, what it must reach, what it aims at, and a peer's beside it."""

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    must: float | None = None
    aim: float | None = None
    peer: str | None = None
    peer_value: float | None = None

    def verdict(self) -> str:
        """Return ``aim``, ``must`` or ``missed``, by how far the value reaches; empty without a promise."""
        if self.must is None:
            return ""
        return next((level for level in ("aim", "must") if self._reaches(getattr(self, level))), "missed")

    def _reaches(self, promise: float | None) -> bool:
        if promise is None:
            return False
        return self.value >= promise if self.better == "higher" else self.value <= promise


def machine() -> str:
    """Return what the figures were measured on: processor, cores, memory, system."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or "unknown processor",
    )
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def save(name: str, figures: list[Figure]) -> Path:
    """Write ``results/NAME.json`` and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"name": name, "machine": machine(), "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def show(name: str, figures: list[Figure]) -> None:
    """Print the figures as a table."""
    table = Table(title=f"{name} on {machine()}", title_justify="left")
    table.add_column("figure", min_width=max(len(figure.name) for figure in figures))
    for column in ("measured", "must", "aim", "reached", "peer"):
        table.add_column(column, justify="left" if column == "peer" else "right")
    for figure in figures:
        peer = f"{figure.peer}: {figure.peer_value:g} {figure.unit}" if figure.peer else ""
        table.add_row(
            figure.name,
            f"{figure.value:g} {figure.unit}",
            *("" if promise is None else f"{promise:g}" for promise in (figure.must, figure.aim)),
            figure.verdict(),
            peer,
        )
    Console().print(table)
