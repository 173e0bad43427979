"""The checkpoints: what tasks run before anything is built from the data.

Each stores its outcome in ``quality_results`` and shows it under ``settings.docs_dir``; where its
``blocking`` is true, nothing may be built from the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market.instant import parse_instant
from cryptobot.market.span import Span, day_spans
from cryptobot.settings import Settings
from cryptobot.storage.collections import EXCHANGE_INFO, FEATURES, HISTORICAL_DATA, STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.job_reports import report_spans
from cryptobot.storage.partitions import require_report
from cryptobot.storage.quality import find_result
from expectations import exchange_info, features, historical, reconciliation
from expectations.live import WINDOW, live_assets
from expectations.result import QualityResult, from_document
from expectations.validation import run_assets

RECONCILIATION = "reconciliation"


class MissingResultError(LookupError):
    """A checkpoint ended without the outcome that says whether its data may be used."""


def run_checkpoint(
    settings: Settings,
    database: Database[Document],
    spans: Sequence[Span] = (),
    *,
    report_id: str | None = None,
    result_id: str | None = None,
) -> QualityResult:
    """Check candles in ``historical_data``: the given spans, or those that a job reported.

    With ``report_id`` the number of stored candles must also be the number that the job read.
    One range after the other is read and checked, so that memory is bounded by the largest; where
    :func:`is_large` holds of the reports, ``expectations/large_ranges.py`` does the same on Spark.

    Raises
    ------
    MissingReportError
        When no job wrote a report under ``report_id``.
    """
    expected: list[tuple[Span, int | None]] = [(span, None) for span in spans]
    if report_id is not None:
        expected += report_spans(require_report(database, report_id))
    assets = historical.assets(database, historical.checked_spans(expected), exchange_time(settings))
    return run_assets(
        settings,
        database,
        collection=HISTORICAL_DATA,
        assets=assets,
        start=min((span.start for span, _ in expected), default=None),
        end=max((span.end for span, _ in expected), default=None),
        result_id=result_id,
    )


def run_streaming_checkpoint(settings: Settings, database: Database[Document]) -> QualityResult:
    """Check what arrived in the last 15 minutes."""
    now = datetime.now(UTC)
    return run_assets(
        settings,
        database,
        collection=STREAMING_DATA,
        assets=live_assets(database, settings.symbols, now),
        start=now - WINDOW,
        end=now,
    )


def run_features_checkpoint(
    settings: Settings, database: Database[Document], report_id: str
) -> QualityResult:
    """Check the features that a run of the job ``features`` reported.

    Raises
    ------
    MissingReportError
        When no job wrote a report under ``report_id``.
    """
    report = require_report(database, report_id)
    spans = [span for span, _ in report_spans(report)]
    return run_assets(
        settings,
        database,
        collection=FEATURES,
        assets=features.assets(settings, database, spans),
        start=min((span.start for span in spans), default=None),
        end=max((span.end for span in spans), default=None),
    )


def run_reconciliation_checkpoint(
    settings: Settings, database: Database[Document], day: str
) -> QualityResult:
    """Compare the live candles that closed in a UTC day, ``YYYY-MM-DD``, with those of history."""
    start = parse_instant(day)
    spans = day_spans(settings.symbols, settings.intervals, day)
    return run_assets(
        settings,
        database,
        collection=RECONCILIATION,
        assets=(reconciliation.asset(database, span) for span in spans),
        start=start,
        end=start + timedelta(days=1),
    )


def run_exchange_info_checkpoint(settings: Settings, database: Database[Document]) -> QualityResult:
    """Check what is stored of the configured pairs: trading, with their filters, and fresh."""
    now = exchange_time(settings)
    return run_assets(
        settings,
        database,
        collection=EXCHANGE_INFO,
        assets=[exchange_info.asset(database, settings.symbols, now)],
        start=None,
        end=None,
    )


def is_large(database: Database[Document], report_ids: Iterable[str]) -> bool:
    """Tell whether a range of the reports is too large for memory, and is to be checked by Spark.

    Raises
    ------
    MissingReportError
        When no job wrote one of the reports.
    """
    entries = (entry for each in report_ids for entry in require_report(database, each)["spans"])
    return any(max(entry["rows"], entry.get("stored", 0)) > historical.LARGE_ROWS for entry in entries)


def load_result(database: Database[Document], result_id: str) -> QualityResult:
    """Return the outcome that a checkpoint stored under ``result_id``.

    Raises
    ------
    MissingResultError
        When there is none: the checkpoint did not finish.
    """
    document = find_result(database, result_id)
    if document is None:
        raise MissingResultError(
            f"no result {result_id!r} in quality_results: the checkpoint did not finish; run it again"
        )
    return from_document(document)


def exchange_time(settings: Settings) -> datetime:
    """Return the exchange's clock, aware UTC."""
    with RestClient(settings.rest_url) as exchange:
        return exchange.server_time()
