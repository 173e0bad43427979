"""Run the suites on what the collections hold; write the report and the outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

from cryptobot.exchange.rest import RestClient
from cryptobot.market.span import Span
from cryptobot.settings import Settings
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.job_reports import find_report, report_spans
from cryptobot.storage.quality import save_result
from expectations.context import SITE, one_run, prune
from expectations.frames import candle_frame
from expectations.result import AssetOutcome, QualityResult, outcomes
from expectations.suites import historical_suite


class ReportMissingError(Exception):
    """A job's report is asked for that it never wrote."""


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


def run_checkpoint(
    settings: Settings,
    database: Database[Document],
    spans: Sequence[Span] = (),
    *,
    report_id: str | None = None,
) -> QualityResult:
    """Check candles in ``historical_data``: the given spans, or those that a job reported.

    With ``report_id`` the number of stored candles must also be the number that the job read.
    One asset after the other is read and checked, so that memory is bounded by the largest.
    The outcome is stored in ``quality_results`` and shown under ``settings.docs_dir``; where its
    ``blocking`` is true, nothing may be built from the data.

    Raises
    ------
    ReportMissingError
        When no job wrote a report under ``report_id``.
    """
    expected: list[tuple[Span, int | None]] = [(span, None) for span in spans]
    if report_id is not None:
        report = find_report(database, report_id)
        if report is None:
            raise ReportMissingError(f"no job wrote a report {report_id}; run {HISTORICAL_DATA} again")
        expected += report_spans(report)
    with RestClient(settings.rest_url) as exchange:
        now = exchange.server_time().replace(tzinfo=None)
    assets = (_historical_asset(database, span, rows, now) for span, rows in expected)
    return run_assets(
        settings,
        database,
        collection=HISTORICAL_DATA,
        assets=assets,
        start=min((span.start for span, _ in expected), default=None),
        end=max((span.end for span, _ in expected), default=None),
    )


def _historical_asset(
    database: Database[Document], span: Span, expected_rows: int | None, now: datetime
) -> Asset:
    name = f"{span.symbol}-{span.interval}"
    suite = historical_suite(
        f"{HISTORICAL_DATA}-{name}",
        span.symbol,
        span.interval.value,
        now=now,
        grid_rows=span.interval.candles_between(span.start_ms, span.end_ms),
        expected_rows=expected_rows,
    )
    return Asset(name, candle_frame(database, span), suite)


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
