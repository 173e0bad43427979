"""The outcome of a checkpoint in plain values: what is stored, shown and gated on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult

_ORDER = ("info", "warning", "critical")


@dataclass(frozen=True)
class ExpectationOutcome:
    """One expectation of one asset."""

    asset: str
    name: str
    column: str | None
    severity: str
    success: bool
    observed: str


@dataclass(frozen=True)
class AssetOutcome:
    """One asset of a run, with its page in the report (relative to the report's folder)."""

    name: str
    rows: int
    worst_severity: str | None
    report_path: str


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
    def report_path(self) -> str:
        """Page of the asset that failed worst; the report's first page when none failed."""
        failed = [asset for asset in self.assets if asset.worst_severity is not None]
        if not failed:
            return "index.html"
        return max(failed, key=lambda asset: _ORDER.index(asset.worst_severity or "info")).report_path

    def document(self) -> dict[str, Any]:
        """Return the run as a document of ``quality_results``."""
        return {
            "_id": f"{self.checkpoint}|{self.run_id}",
            "checkpoint": self.checkpoint,
            "suite": self.suite,
            "collection": self.collection,
            "success": not self.failures,
            "worst_severity": self.worst_severity,
            "blocking": self.blocking,
            "expectations": [asdict(outcome) for outcome in self.expectations],
            "assets": [asdict(asset) for asset in self.assets],
            "rows": self.rows,
            "range": {"start": self.start, "end": self.end},
            "report_path": self.report_path,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }


def worst(severities: Any) -> str | None:
    """Return the gravest of ``severities``, None among them meaning no failure."""
    return max((s for s in severities if s is not None), key=_ORDER.index, default=None)


def outcomes(asset: str, result: ExpectationSuiteValidationResult) -> list[ExpectationOutcome]:
    """Return the asset's expectations in plain values."""
    return [_outcome(asset, item) for item in result.results]


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
        observed=_observed(item),
    )


def _observed(item: ExpectationValidationResult) -> str:
    found = item.result
    if "observed_value" in found:
        return str(found["observed_value"])
    if "unexpected_count" in found:
        examples = ", ".join(map(str, found.get("partial_unexpected_list", [])[:3]))
        counted = f"{found['unexpected_count']} of {found['element_count']} rows unexpected"
        return f"{counted}: {examples}" if examples else counted
    return str((item.exception_info or {}).get("exception_message") or "not evaluated")
