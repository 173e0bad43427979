"""The outcome of a checkpoint in plain values: what is stored, shown and gated on."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult

from cryptobot.storage.database import Document

_ORDER = ("info", "warning", "critical")

ROWS_LISTED = 20
"""Rows that are listed of a failed expectation, at most."""


@dataclass(frozen=True)
class ExpectationOutcome:
    """One expectation of one asset; ``rows`` are keys of the rows that failed, the first of them."""

    asset: str
    name: str
    column: str | None
    severity: str
    success: bool
    observed: str
    rows: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AssetOutcome:
    """One asset of a run, with its page in the report (relative to the report's folder)."""

    name: str
    rows: int
    worst_severity: str | None
    report_path: str
    message: str = ""
    skipped: dict[str, str] = field(default_factory=dict)
    """Checks that did not apply, and why."""


@dataclass(frozen=True)
class QualityResult:
    """A run of a checkpoint; :meth:`document` is its form in ``quality_results``."""

    run_id: str
    checkpoint: str
    suite: str
    collection: str
    start: datetime | None
    end: datetime | None
    assets: list[AssetOutcome]
    expectations: list[ExpectationOutcome]
    started_at: datetime
    finished_at: datetime
    result_id: str | None = None

    @property
    def rows(self) -> int:
        """Rows that were checked."""
        return sum(asset.rows for asset in self.assets)

    @property
    def worst_severity(self) -> str | None:
        """The gravest failure: None, ``info``, ``warning`` or ``critical``."""
        return worst(asset.worst_severity for asset in self.assets)

    @property
    def blocking(self) -> bool:
        """Whether nothing may be built from this data."""
        return self.worst_severity == "critical"

    @property
    def failures(self) -> list[ExpectationOutcome]:
        """What failed, gravest first."""
        failed = [outcome for outcome in self.expectations if not outcome.success]
        return sorted(failed, key=lambda outcome: -_ORDER.index(outcome.severity))

    @property
    def counts(self) -> dict[str, int]:
        """How many expectations passed, and how many failed of each severity."""
        failed = Counter(outcome.severity for outcome in self.failures)
        return {
            "passed": len(self.expectations) - len(self.failures),
            **{severity: failed[severity] for severity in reversed(_ORDER)},
        }

    @property
    def report_path(self) -> str:
        """Page of the asset that failed worst; the report's first page when none failed."""
        failed = [asset for asset in self.assets if asset.worst_severity is not None]
        if not failed:
            return "index.html"
        return max(failed, key=lambda asset: _ORDER.index(asset.worst_severity or "info")).report_path

    @property
    def key(self) -> str:
        """The ``_id`` in ``quality_results``."""
        return self.result_id or f"{self.checkpoint}|{self.run_id}"

    def document(self) -> Document:
        """Return the run as a document of ``quality_results``."""
        return {
            "_id": self.key,
            "run_id": self.run_id,
            "checkpoint": self.checkpoint,
            "suite": self.suite,
            "collection": self.collection,
            "success": not self.failures,
            "worst_severity": self.worst_severity,
            "blocking": self.blocking,
            "counts": self.counts,
            "expectations": [asdict(outcome) for outcome in self.expectations],
            "assets": [asdict(asset) for asset in self.assets],
            "rows": self.rows,
            "range": {"start": self.start, "end": self.end},
            "report_path": self.report_path,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }


def from_document(document: Document) -> QualityResult:
    """Return the run that :meth:`QualityResult.document` wrote."""
    return QualityResult(
        run_id=document["run_id"],
        checkpoint=document["checkpoint"],
        suite=document["suite"],
        collection=document["collection"],
        start=document["range"]["start"],
        end=document["range"]["end"],
        assets=[AssetOutcome(**asset) for asset in document["assets"]],
        expectations=[ExpectationOutcome(**outcome) for outcome in document["expectations"]],
        started_at=document["started_at"],
        finished_at=document["finished_at"],
        result_id=document["_id"],
    )


def worst(severities: Any) -> str | None:
    """Return the gravest of ``severities``, None among them meaning no failure."""
    return max((s for s in severities if s is not None), key=_ORDER.index, default=None)


def outcomes(asset: str, result: ExpectationSuiteValidationResult) -> list[ExpectationOutcome]:
    """Return the asset's expectations in plain values."""
    return [_outcome(asset, item) for item in result.results]


def message_of(found: list[ExpectationOutcome]) -> str:
    """Return in one sentence what failed of an asset: the gravest first, with rows where they are known."""
    failed = sorted(
        (item for item in found if not item.success), key=lambda item: -_ORDER.index(item.severity)
    )
    if not failed:
        return f"all {len(found)} expectations are met"
    parts = []
    for item in failed[:3]:
        keys = f" at {', '.join(item.rows[:3])}{' ...' if len(item.rows) > 3 else ''}" if item.rows else ""
        parts.append(f"{item.severity}: {item.name} ({item.observed}){keys}")
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    return "; ".join(parts) + more


def rows_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the first rows that failed, as the library or a custom expectation lists them."""
    listed = found.get("partial_unexpected_index_list") or (found.get("details") or {}).get("rows") or []
    return [row for row in listed[:ROWS_LISTED] if isinstance(row, dict)]


def observed(found: dict[str, Any], exceptions: dict[str, Any] | None = None) -> str:
    """Return in words what was found in place of what was expected."""
    if "observed_value" in found:
        return _plain(found["observed_value"])
    if "unexpected_count" in found:
        values = [value for value in found.get("partial_unexpected_list", [])[:3] if value is not None]
        counted = f"{found['unexpected_count']:,} of {found['element_count']:,} rows"
        return f"{counted}: {', '.join(map(_plain, values))}" if values else counted
    return _exception(exceptions or {}) or "not evaluated"


def _outcome(asset: str, item: ExpectationValidationResult) -> ExpectationOutcome:
    config = item.expectation_config
    assert config is not None  # noqa: S101 - every result of a suite carries its expectation
    pair = [config.kwargs[name] for name in ("column_A", "column_B") if name in config.kwargs]
    return ExpectationOutcome(
        asset=asset,
        name=config.description or config.type,
        column=config.kwargs.get("column") or ", ".join(pair) or None,
        severity=config.severity.value,
        success=bool(item.success),
        observed="as expected"
        if item.success and not item.result
        else observed(item.result, item.exception_info),
        rows=[] if item.success else [str(row["_id"]) for row in rows_of(item.result) if "_id" in row],
    )


def _plain(value: Any) -> str:
    if value is None or value != value:  # NaN and NaT are not themselves
        return "nothing"
    if isinstance(value, tuple | list):
        return " and ".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:,.8g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def _exception(info: dict[str, Any]) -> str | None:
    """Return the message of what went wrong; the library keeps one a metric, or one alone."""
    if "exception_message" in info:
        return info["exception_message"]
    nested = (found.get("exception_message") for found in info.values() if isinstance(found, dict))
    return next((message for message in nested if message), None)
