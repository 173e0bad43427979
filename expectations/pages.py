"""The report's pages: what was checked, what failed with which rows, and what to do.

They are made from Great Expectations' results in templates of their own: the library's load styles
and scripts from public hosts, and speak of columns and batches to people who look for candles.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.render.renderer.renderer import Renderer
from jinja2 import Environment, PackageLoader, StrictUndefined

from cryptobot.market.instant import from_ms
from expectations.advice import NAMES, OUTCOMES, next_steps, verdict
from expectations.history import recent_runs
from expectations.result import observed, rows_of, worst

_SHORT = 40
_GRAVEST_FIRST = {"critical": 0, "warning": 1, "info": 2}


class ResultItself(Renderer):
    """Hands a result to its page as it is."""

    def render(
        self, validation_results: ExpectationSuiteValidationResult
    ) -> ExpectationSuiteValidationResult:
        """Return ``validation_results``."""
        return validation_results


class _Page:
    """A page made by a template of this package."""

    def __init__(self, **_directories: Any) -> None:
        loader = PackageLoader("expectations", "templates")
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)


class ResultPage(_Page):
    """The result of one asset in one run."""

    def render(self, document: ExpectationSuiteValidationResult, **_: Any) -> str:
        """Return the page: the verdict, what failed with its rows, what passed, what was not checked."""
        meta: dict[str, Any] = {**document.meta}
        checks = [_check(item) for item in document.results]
        failed = sorted((c for c in checks if not c["success"]), key=lambda c: _GRAVEST_FIRST[c["severity"]])
        outcome = OUTCOMES[worst(c["severity"] for c in failed)]
        run = meta["run_id"] if isinstance(meta["run_id"], dict) else meta["run_id"].to_json_dict()
        return self._render(
            "result_page.j2",
            title=meta["title"],
            name=NAMES.get(meta["collection"], meta["collection"]),
            collection=meta["collection"],
            outcome=outcome,
            verdict=verdict(outcome),
            steps=next_steps(meta["collection"], outcome),
            facts=_facts(meta, run, checks),
            failed=failed,
            groups=_groups(check for check in checks if check["success"]),
            passed=sum(check["success"] for check in checks),
            skipped=meta["skipped"],
        )


class IndexPage(_Page):
    """The first page: the runs whose results are kept in ``results_dir``, the newest first."""

    def __init__(self, results_dir: str, **directories: Any) -> None:
        super().__init__(**directories)
        self._results = Path(results_dir)

    def render(self, document: Any, **_: Any) -> str:
        """Return the page, made of the results themselves: they alone know how grave a failure is."""
        return self._render("index_page.j2", runs=recent_runs(self._results))


def _check(item: Any) -> dict[str, Any]:
    config = item.expectation_config
    rows = [] if item.success else [_with_time(row) for row in rows_of(item.result)]
    total = (
        item.result.get("unexpected_count") or (item.result.get("details") or {}).get("count") or len(rows)
    )
    return {
        "text": config.description or config.type,
        "group": (config.meta or {}).get("group", "Other"),
        "severity": config.severity.value,
        "success": bool(item.success),
        "observed": _observed(item),
        "columns": list(dict.fromkeys(name for row in rows for name in row)),
        "rows": [{name: _cell(value) for name, value in row.items()} for row in rows],
        "total": total,
    }


def _observed(item: Any) -> str:
    """Return what was found; of what holds only where it is a figure worth a line."""
    if not item.success:
        return observed(item.result, item.exception_info)
    found = observed(item.result) if item.result else ""
    return found if len(found) <= _SHORT else ""


def _with_time(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its candle's open time in words, where its key tells it and nothing else does."""
    opened = str(row.get("_id", "")).split("|")[2:3]
    if not opened or not opened[0].isdigit() or {"open_time", "from"} & row.keys():
        return row
    return {"_id": row["_id"], "opened (UTC)": f"{from_ms(int(opened[0])):%Y-%m-%d %H:%M}", **row}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return "absent" if value is None else str(value)


def _groups(checks: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(name, list(found)) for name, found in groupby(checks, key=lambda check: check["group"])]


def _facts(meta: dict[str, Any], run: dict[str, Any], checks: list[dict[str, Any]]) -> dict[str, str]:
    """Return what the page says of the check at its top."""
    facts = {}
    if meta["start"] and meta["end"]:
        facts["Range (UTC)"] = f"{_minute(meta['start'])} up to {_minute(meta['end'])}"
    facts["Rows checked"] = f"{meta['rows']:,}"
    facts["Expectations"] = f"{sum(c['success'] for c in checks)} of {len(checks)} met"
    facts["Checked at (UTC)"] = _minute(str(run["run_time"]))
    return facts


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")
