"""What the outcome of a checkpoint means to the pipeline: go on, or stop here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Sequence

    from expectations.result import QualityResult


def judged(results: Sequence[QualityResult]) -> dict:
    """Return the outcome as metadata of an asset event; fail the task when any blocks.

    A task that fails here is not tried again: the data will not be better in a minute.
    """
    for result in results:
        if result.blocking:
            critical = [failed for failed in result.failures if failed.severity == "critical"]
            named = "; ".join(f"{failed.asset}: {failed.name} ({failed.observed})" for failed in critical[:3])
            raise AirflowFailException(
                f"{result.collection} failed {len(critical)} critical expectations: {named}. "
                f"See /quality/{result.report_path} of the API"
            )
    return {
        "report": results[-1].run_id,
        "rows": sum(result.rows for result in results),
        "worst_severity": max((result.worst_severity or "" for result in results), key=_gravity) or None,
        "quality_report": results[-1].report_path,
    }


def _gravity(severity: str) -> int:
    return ["", "info", "warning", "critical"].index(severity)
