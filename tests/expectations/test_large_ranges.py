"""Large ranges on the real Spark: the same suites find the same faults as pandas."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.gaps import ABSENT, record_states
from cryptobot.storage.job_reports import save_report
from expectations import large_ranges
from expectations.checkpoint import load_result, run_checkpoint
from expectations.result import QualityResult
from tests.expectations.candles import HOURS, documents, whole_span
from tests.spark_program import run_program

pytestmark = pytest.mark.slow

_PROGRAM = """
import sys
from expectations import large_ranges
large_ranges.LARGE_ROWS = 40
sys.exit(large_ranges.main(sys.argv[1:]))
"""


def submit(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program with so low a bound that a small range is a large one."""
    docs = {"CRYPTOBOT_REST_URL": settings.rest_url, "CRYPTOBOT_DOCS_DIR": str(settings.docs_dir)}
    return run_program(["-c", _PROGRAM, *arguments], settings, **docs)


def found(result: QualityResult) -> list[tuple[str, str, str, list[str]]]:
    return sorted((each.asset, each.name, each.severity, sorted(each.rows)) for each in result.failures)


def spoil(database: Database[dict[str, Any]]) -> None:
    """Store two pairs; of the first some candles are wrong, lost, beside the grid or short."""
    bitcoin = documents()
    bitcoin[5]["high"] = 1.0
    bitcoin[6]["taker_buy_base"] = 11.0
    bitcoin[7]["close_time"] -= timedelta(minutes=30)
    bitcoin[8]["open_time"] += timedelta(minutes=7)
    bitcoin[9]["quote_volume"] = 1.0
    bitcoin[14]["marks"] = ["off_grid"]
    kept = [candle for hour, candle in enumerate(bitcoin) if hour not in (20, 21, 30)]
    database["historical_data"].insert_many(
        kept + documents("ETHUSDT", hours=10), bypass_document_validation=True
    )
    hole = replace(whole_span(), start=bitcoin[30]["open_time"], end=bitcoin[31]["open_time"])
    record_states(database, whole_span(), [(hole, ABSENT)], found_by="test")
    ranges = [
        ("BTCUSDT", whole_span().end, HOURS - 3),
        ("ETHUSDT", whole_span().start + timedelta(hours=10), 10),
    ]
    spans = [
        {"symbol": symbol, "interval": "1h", "start": whole_span().start, "end": end, "rows": rows}
        for symbol, end, rows in ranges
    ]
    save_report(database, {"_id": "run", "job": "historical_data", "spans": spans})


def test_spark_finds_what_pandas_finds(settings: Settings, database: Database[dict[str, Any]]) -> None:
    spoil(database)
    done = submit(settings, "--reports", "run", "--result", "large")
    assert done.returncode == 0, done.stderr
    assert "large_ranges: 55 candles" in done.stdout
    by_spark = load_result(database, "large")
    by_pandas = run_checkpoint(settings, database, report_id="run")
    assert found(by_spark) == found(by_pandas)
    assert len(by_spark.failures) > 9
    assert (by_spark.rows, by_spark.blocking) == (by_pandas.rows, True)
    assert [asset.worst_severity for asset in by_spark.assets] == ["critical", None]
    assert [asset.skipped for asset in by_spark.assets] == [asset.skipped for asset in by_pandas.assets]
    assert (settings.docs_dir / by_spark.report_path).is_file()


def test_a_report_that_is_missing_fails_with_one_line(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_ranges, "settings", lambda: settings)
    assert large_ranges.main(["--reports", "none", "--result", "r"]) == 1
    assert capsys.readouterr().err.startswith("large_ranges failed: no report 'none' in job_reports")
