"""Custom expectation about what other collections record of a range: quarantined rows, corrections."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.compatibility.pydantic import Field
from great_expectations.execution_engine import ExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation

LISTED = 20
"""Records that are listed at most."""


class ExpectNothingOnRecord(BatchExpectation):
    """Expect that nothing was set apart for the checked range; ``rows`` lists the first of ``total``."""

    total: int
    rows: list[dict[str, Any]] = Field(default_factory=list)

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count",)
    success_keys: ClassVar[tuple[str, ...]] = ("total", "rows")
    args_keys: ClassVar[tuple[str, ...]] = ("total",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine | None = None,
    ) -> dict[str, Any]:
        details = {"rows": self.rows[:LISTED], "count": self.total}
        return {
            "success": self.total == 0,
            "result": {"observed_value": f"{self.total:,} on record", "details": details},
        }
