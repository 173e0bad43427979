"""Run suites on assets: one run of a checkpoint, its report and its outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlparse

import great_expectations as gx
import pandas as pd
from great_expectations import ExpectationSuite
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.resource_identifiers import ValidationResultIdentifier
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.database import Document
from cryptobot.storage.quality import save_result
from expectations.context import SITE, one_run, prune
from expectations.result import AssetOutcome, QualityResult, outcomes


@dataclass(frozen=True)
class Asset:
    """What one suite is run on; ``name`` stands in the report and in its addresses."""

    name: str
    frame: pd.DataFrame
    suite: ExpectationSuite


@dataclass(frozen=True)
class Checked:
    """The result of one asset, and its page's identity; the frame itself is let go."""

    name: str
    rows: int
    result: ExpectationSuiteValidationResult
    page: ValidationResultIdentifier


def run_assets(
    settings: Settings,
    database: Database[Document],
    *,
    collection: str,
    assets: Iterable[Asset],
    start: datetime | None,
    end: datetime | None,
) -> QualityResult:
    """Check assets of ``collection`` in one run; build the report, store and return the outcome."""
    started_at = datetime.now(UTC)
    run = RunIdentifier(run_name=f"{started_at:%Y-%m-%dT%H%M%SZ}", run_time=started_at)
    with one_run(settings) as context:
        checked = [_validate(context, collection, asset, run) for asset in assets]
        prune(settings)
        context.build_data_docs(site_names=[SITE], resource_identifiers=[each.page for each in checked])
        found = [_asset_outcome(each, _address(context, each.page, settings.docs_dir)) for each in checked]
    result = QualityResult(
        run_id=f"{started_at:%Y%m%dT%H%M%S.%fZ}",
        checkpoint=collection,
        suite=collection,
        collection=collection,
        start=start,
        end=end,
        assets=found,
        expectations=[item for each in checked for item in outcomes(each.name, each.result)],
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
    save_result(database, result.document())
    return result


def _validate(context: AbstractDataContext, collection: str, asset: Asset, run: RunIdentifier) -> Checked:
    source = context.data_sources.add_or_update_pandas(collection)
    batch = source.add_dataframe_asset(asset.name).add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(asset.suite)
    definition = gx.ValidationDefinition(name=asset.name, data=batch, suite=suite)
    checkpoint = gx.Checkpoint(
        name=asset.name,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": 20},
    )
    outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": asset.frame}, run_id=run)
    page, result = next(iter(outcome.run_results.items()))
    return Checked(asset.name, len(asset.frame), result, page)


def _asset_outcome(checked: Checked, address: str) -> AssetOutcome:
    severity = checked.result.get_max_severity_failure()
    return AssetOutcome(
        name=checked.name,
        rows=checked.rows,
        worst_severity=severity.value if severity else None,
        report_path=address,
    )


def _address(context: AbstractDataContext, page: ValidationResultIdentifier, docs: Path) -> str:
    """Return where a result's page is, relative to the report."""
    (site,) = context.get_docs_sites_urls(resource_identifier=page, site_names=[SITE])
    return str(Path(unquote(urlparse(site["site_url"]).path)).relative_to(docs.resolve()))
