"""The results that are kept of past runs: what the report's first page lists, and what is pruned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from expectations.advice import NAMES, OUTCOMES
from expectations.result import worst

RUNS_KEPT = 30
"""Results that are kept of each suite; older ones are removed."""

RESULTS_KEPT = 400
"""Results that are kept in all: ranges that were checked once have suites of their own."""


def recent_runs(results: Path) -> list[dict[str, Any]]:
    """Return the runs whose results are kept, the newest first: outcome, time, and assets with pages."""
    found = sorted(_results(results), key=lambda result: (result["time"], result["run"]), reverse=True)
    return [_run(list(assets)) for _, assets in groupby(found, key=lambda result: result["run"])]


def prune(results: Path, pages: Path, *, keep: int = RUNS_KEPT, total: int = RESULTS_KEPT) -> None:
    """Remove all but the newest ``keep`` results of each suite, and ``total`` in all, with their pages."""
    newest: list[Path] = []
    for suite in (entry for entry in results.glob("*") if entry.is_dir()):
        runs = sorted(suite.glob("*/*"), key=lambda run: run.name, reverse=True)
        newest += runs[:keep]
        for run in runs[keep:]:
            _remove(run, results, pages)
    newest.sort(key=lambda run: run.name, reverse=True)
    for run in newest[total:]:
        _remove(run, results, pages)


def _remove(run: Path, results: Path, pages: Path) -> None:
    for root in (results, pages):
        folder = root / run.relative_to(results)
        shutil.rmtree(folder, ignore_errors=True)
        for parent in (folder.parent, folder.parent.parent):
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _run(assets: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one run, its worst assets first."""
    assets.sort(key=lambda asset: (_gravity(asset["severity"]), asset["asset"]))
    starts = [asset["start"] for asset in assets if asset["start"]]
    ends = [asset["end"] for asset in assets if asset["end"]]
    return {
        "outcome": OUTCOMES[worst(asset["severity"] for asset in assets)],
        "name": assets[0]["name"],
        "collection": assets[0]["collection"],
        "time": assets[0]["time"],
        "range": f"{min(starts)} up to {max(ends)}" if starts and ends else "",
        "rows": sum(asset["rows"] for asset in assets),
        "assets": assets,
    }


def _results(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("*/*/*/*.json"):
        found = orjson.loads(path.read_bytes())
        meta = found["meta"]
        failed = [item["expectation_config"]["severity"] for item in found["results"] if not item["success"]]
        severity = worst(failed)
        page = path.relative_to(folder).with_suffix(".html")
        yield {
            "severity": severity,
            "outcome": OUTCOMES[severity],
            "failed": len(failed),
            "asset": meta["asset"],
            "name": NAMES.get(meta["collection"], meta["collection"]),
            "collection": meta["collection"],
            "title": meta["title"],
            "rows": meta["rows"],
            "start": _minute(meta["start"]),
            "end": _minute(meta["end"]),
            "run": (meta["run_id"]["run_time"], meta["collection"]),
            "time": meta["run_id"]["run_time"][:19].replace("T", " "),
            "address": quote(f"validations/{page.as_posix()}"),
        }


def _gravity(severity: str | None) -> int:
    return ["critical", "warning", "info", None].index(severity)


def _minute(text: str | None) -> str | None:
    return text[:16].replace("T", " ") if text else None
