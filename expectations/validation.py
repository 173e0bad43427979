"""Run suites on assets: one run of a checkpoint, its report and its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlparse

from great_expectations import ExpectationSuite
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.expectations.expectation import Expectation
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.database import Document
from cryptobot.storage.quality import save_result
from expectations.context import SITE, one_run, prune
from expectations.result import (
    ROWS_LISTED,
    AssetOutcome,
    ExpectationOutcome,
    QualityResult,
    message_of,
    outcomes,
)
from expectations.terms import place_of

_VERDICT = {"result_format": "BOOLEAN_ONLY"}
_FIGURES = {"result_format": "SUMMARY", "partial_unexpected_count": ROWS_LISTED}
_ROWS = {**_FIGURES, "unexpected_index_column_names": ["_id"]}


@dataclass(frozen=True)
class Asset:
    """What one suite is run on; ``name`` stands in addresses, ``title`` on the page.

    ``frame`` is a pandas frame or, with ``engine`` spark, a Spark one, which ``release`` lets go.
    ``skipped`` names checks that do not apply to the asset, each with the reason.
    """

    name: str
    title: str
    frame: Any
    rows: int
    suite: ExpectationSuite
    start: datetime | None = None
    end: datetime | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    engine: Literal["pandas", "spark"] = "pandas"
    release: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Checked:
    """The outcome of one asset, and its page's identity; the frame itself is let go."""

    asset: AssetOutcome
    expectations: list[ExpectationOutcome]
    page: ValidationResultIdentifier


def run_assets(
    settings: Settings,
    database: Database[Document],
    *,
    collection: str,
    assets: Iterable[Asset],
    start: datetime | None,
    end: datetime | None,
    result_id: str | None = None,
) -> QualityResult:
    """Check assets of ``collection`` in one run; build the report, store and return the outcome."""
    started_at = datetime.now(UTC)
    run = RunIdentifier(run_name=f"{started_at:%Y-%m-%dT%H%M%SZ}", run_time=started_at)
    with one_run(settings) as context:
        checked = [_checked(context, collection, asset, run) for asset in assets]
        prune(settings)
        context.build_data_docs(site_names=[SITE], resource_identifiers=[each.page for each in checked])
        judged = [
            replace(each.asset, report_path=_address(context, each.page, settings.docs_dir))
            for each in checked
        ]
    result = QualityResult(
        run_id=f"{started_at:%Y%m%dT%H%M%S.%fZ}",
        checkpoint=collection,
        suite=collection,
        collection=collection,
        start=start,
        end=end,
        assets=judged,
        expectations=[found for each in checked for found in each.expectations],
        started_at=started_at,
        finished_at=datetime.now(UTC),
        result_id=result_id,
    )
    save_result(database, result.document())
    return result


def validate(batch: Batch, suite: ExpectationSuite) -> ExpectationSuiteValidationResult:
    """Return the suite's result, with the first rows of whatever failed.

    Rows are asked for only where something failed: on Spark each such question is a job of its own,
    while the counts of all expectations are one. Figures that are not of rows are kept in any case.
    """
    of_rows = [each for each in suite.expectations if hasattr(each, "map_metric")]
    of_wholes = [each for each in suite.expectations if not hasattr(each, "map_metric")]
    verdicts = _results(batch, of_rows, _VERDICT)
    failed = [each for each in of_rows if not verdicts[place_of(each.meta)].success]
    by_place = {**verdicts, **_results(batch, of_wholes, _FIGURES), **_results(batch, failed, _ROWS)}
    results = [by_place[place] for place in sorted(by_place)]
    met = sum(bool(item.success) for item in results)
    return ExpectationSuiteValidationResult(
        success=met == len(results),
        results=results,
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": met,
            "unsuccessful_expectations": len(results) - met,
            "success_percent": 100 * met / len(results),
        },
    )


def _results(
    batch: Batch, expectations: list[Expectation], result_format: dict[str, Any]
) -> dict[int, ExpectationValidationResult]:
    """Return results by the expectations' places in their suite."""
    if not expectations:
        return {}
    part = ExpectationSuite(name="part", expectations=expectations)
    found = batch.validate(part, result_format=result_format).results
    return {place_of(item.expectation_config.meta): item for item in found if item.expectation_config}


def _checked(context: AbstractDataContext, collection: str, asset: Asset, run: RunIdentifier) -> Checked:
    sources = context.data_sources
    source = sources.add_or_update_spark if asset.engine == "spark" else sources.add_or_update_pandas
    held = source(f"{collection} in {asset.engine}").add_dataframe_asset(asset.name)
    whole = held.add_batch_definition_whole_dataframe("whole")
    result = validate(whole.get_batch({"dataframe": asset.frame}), asset.suite)
    asset.release()
    result.meta |= {
        "run_id": run,
        "collection": collection,
        "asset": asset.name,
        "title": asset.title,
        "rows": asset.rows,
        "engine": asset.engine,
        "start": asset.start.isoformat() if asset.start else None,
        "end": asset.end.isoformat() if asset.end else None,
        "skipped": asset.skipped,
    }
    page = ValidationResultIdentifier(ExpectationSuiteIdentifier(asset.suite.name), run, asset.name)
    context.validation_results_store.set(page, result)
    found = outcomes(asset.name, result)
    severity = result.get_max_severity_failure()
    outcome = AssetOutcome(
        name=asset.name,
        rows=asset.rows,
        worst_severity=severity.value if severity else None,
        report_path="",
        message=message_of(found),
        skipped=asset.skipped,
    )
    return Checked(outcome, found, page)


def _address(context: AbstractDataContext, page: ValidationResultIdentifier, docs: Path) -> str:
    """Return where a result's page is, relative to the report."""
    (site,) = context.get_docs_sites_urls(resource_identifier=page, site_names=[SITE])
    return str(Path(unquote(urlparse(site["site_url"]).path)).relative_to(docs.resolve()))
