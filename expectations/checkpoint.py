"""The checkpoints: what tasks run before anything is built from the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market.span import Span
from cryptobot.settings import Settings
from cryptobot.storage.collections import HISTORICAL_DATA, STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.job_reports import report_spans
from cryptobot.storage.partitions import require_report
from expectations.frames import candle_frame
from expectations.live import WINDOW, live_assets
from expectations.result import QualityResult
from expectations.suites import historical_suite
from expectations.validation import Asset, run_assets


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
    MissingReportError
        When no job wrote a report under ``report_id``.
    """
    expected: list[tuple[Span, int | None]] = [(span, None) for span in spans]
    if report_id is not None:
        expected += report_spans(require_report(database, report_id))
    with RestClient(settings.rest_url) as exchange:
        now = exchange.server_time().replace(tzinfo=None)
    spans_of = Counter((span.symbol, span.interval) for span, _ in expected)
    assets = (
        _historical_asset(database, span, rows, now, alone=spans_of[span.symbol, span.interval] == 1)
        for span, rows in expected
    )
    return run_assets(
        settings,
        database,
        collection=HISTORICAL_DATA,
        assets=assets,
        start=min((span.start for span, _ in expected), default=None),
        end=max((span.end for span, _ in expected), default=None),
    )


def run_streaming_checkpoint(settings: Settings, database: Database[Document]) -> QualityResult:
    """Check what arrived in the last 15 minutes; stored and shown as by :func:`run_checkpoint`."""
    now = datetime.now(UTC)
    return run_assets(
        settings,
        database,
        collection=STREAMING_DATA,
        assets=live_assets(database, settings.symbols, now),
        start=now - WINDOW,
        end=now,
    )


def _historical_asset(
    database: Database[Document], span: Span, expected_rows: int | None, now: datetime, *, alone: bool
) -> Asset:
    name = f"{span.symbol}-{span.interval}"
    if not alone:
        name += f"-{span.start:%Y%m%dT%H%M%S}"
    suite = historical_suite(
        f"{HISTORICAL_DATA}-{name}",
        span.symbol,
        span.interval.value,
        now=now,
        grid_rows=span.interval.candles_between(span.start_ms, span.end_ms),
        expected_rows=expected_rows,
    )
    return Asset(name, candle_frame(database, span), suite)
