"""The checkpoints of a run, and what their outcome means to the pipeline: go on, or stop here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from pipeline.connections import product_database, product_settings, run_on_spark
from pipeline.notices import quality_judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from expectations.result import ExpectationOutcome, QualityResult

_GRAVITY = ("info", "warning", "critical")
_NAMED = 3
"""Failures, and rows of each, that a message names; the report shows the rest."""


def validated(reports: Sequence[str], ti: Any) -> list[QualityResult]:
    """Check the candles that jobs wrote, by their ``reports``; what is large is checked on Spark."""
    from cryptobot.settings import ROOT
    from expectations.checkpoint import is_large, load_result, run_checkpoint

    with product_database() as database:
        if is_large(database, reports):
            result = f"{ti.dag_id}|{ti.run_id}|{ti.try_number}"
            run_on_spark(
                ROOT / "expectations" / "large_ranges.py",
                ["--reports", ",".join(reports), "--result", result],
                task=ti.task,
            )
            return [load_result(database, result)]
        return [run_checkpoint(product_settings(), database, report_id=report) for report in reports]


def judged(results: Sequence[QualityResult]) -> dict:
    """Return the outcome as metadata of an asset event; raise an alert and fail the task when any blocks.

    A task that fails here is not tried again: the data will not be better in a minute. When it has
    been repaired, clear the task.
    """
    for result in sorted(results, key=lambda result: result.blocking):
        quality_judged(result, _found(result), link(result))
    for result in results:
        if result.blocking:
            raise AirflowFailException(
                f"{result.collection} failed {_found(result)}. See {link(result)}; "
                "when the data is repaired, clear this task"
            )
    counts = Counter(failed.severity for result in results for failed in result.failures)
    shown = max(results, key=lambda result: _gravity(result.worst_severity))
    return {
        "report": results[-1].run_id,
        "rows": sum(result.rows for result in results),
        "worst_severity": shown.worst_severity,
        **{f"failed_{severity}": counts[severity] for severity in _GRAVITY},
        "quality_report": link(shown),
    }


def link(result: QualityResult) -> str:
    """Return the address of the page that shows the gravest of what a checkpoint found."""
    return f"{product_settings().public_api_url}/quality/{result.report_path}"


def _found(result: QualityResult) -> str:
    critical = [failed for failed in result.failures if failed.severity == "critical"]
    return f"{len(critical)} critical expectations: {'; '.join(map(_told, critical[:_NAMED]))}"


def _told(failed: ExpectationOutcome) -> str:
    told = f"{failed.asset}: {failed.name} ({failed.observed})"
    if not failed.rows:
        return told
    more = "" if len(failed.rows) <= _NAMED else ", ..."
    return f"{told}, rows {', '.join(failed.rows[:_NAMED])}{more}"


def _gravity(severity: str | None) -> int:
    return _GRAVITY.index(severity) + 1 if severity else 0
