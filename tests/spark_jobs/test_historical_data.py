"""The job as it is run: by spark-submit, from the offline exchange into a real MongoDB."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyspark
import pytest
from pymongo.database import Database

from cryptobot.market import Interval, Kline, Span
from cryptobot.market.instant import EPOCH
from cryptobot.market.span import dump_spans
from cryptobot.settings import ROOT, Settings
from cryptobot.spark.submission import SUBMIT_CONF
from cryptobot.storage.job_reports import find_report, report_spans
from infra.local.jars import spark_jars
from spark_jobs import historical_data
from tests.exchange_server import running_exchange

pytestmark = pytest.mark.slow

Submit = Callable[[list[Span], str], "subprocess.CompletedProcess[str]"]
RECORD_START = datetime(2025, 10, 29, 4, 22, tzinfo=UTC)
RECORD_END = datetime(2025, 11, 1, 4, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def replay_url(shared_data: Path) -> Iterator[str]:
    with running_exchange(REPLAY_DIR=str(shared_data / "klines")) as url:
        yield url


@pytest.fixture
def submit(app_settings: Settings, replay_url: str) -> Submit:
    """Run the job by spark-submit on the replayed record."""

    def run(spans: list[Span], report: str) -> subprocess.CompletedProcess[str]:
        conf = SUBMIT_CONF | {"spark.jars": ",".join(map(str, spark_jars()))}
        command = [
            str(Path(pyspark.__path__[0]) / "bin" / "spark-submit"), "--master", "local[2]",
            *(part for name, value in conf.items() for part in ("--conf", f"{name}={value}")),
            str(ROOT / "spark_jobs" / "historical_data.py"),
            "--spans", dump_spans(spans), "--report", report, "--source", "rest",
        ]  # fmt: skip
        environment = {
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "CRYPTOBOT_ENV_FILE": "/dev/null",
            "CRYPTOBOT_MONGO_URI": app_settings.mongo_uri.get_secret_value(),
            "CRYPTOBOT_MONGO_DATABASE": app_settings.mongo_database,
            "CRYPTOBOT_REST_URL": replay_url,
        }
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)

    return run


def recorded(shared_data: Path, symbol: str) -> dict[str, Kline]:
    """Return the record's one-minute candles by key, read from the files themselves."""
    found = {}
    for path in sorted((shared_data / "klines").glob(f"{symbol}-1m-*.csv")):
        with path.open() as file:
            for line in csv.reader(file):
                kline = Kline.from_rest(symbol, Interval.MINUTE_1, line)
                found[kline.key] = kline
    return found


def everything(symbol: str) -> Span:
    return Span(symbol, Interval.MINUTE_1, EPOCH, datetime(2026, 1, 1, tzinfo=UTC))


def assert_holds(database: Database[dict[str, Any]], truth: dict[str, Kline]) -> None:
    """Assert that the collection is the record: every candle, every field, bit for bit."""
    stored = {document.pop("_id"): document for document in database["historical_data"].find()}
    assert stored.keys() == truth.keys()
    for key, kline in truth.items():
        document = stored[key]
        assert document.pop("source") == "rest"
        assert isinstance(document.pop("ingested_at"), datetime)
        assert document == {name: getattr(kline, name) for name in Kline.__slots__}
    types = {"open": "double", "volume": "double", "trades": "long", "open_time": "date", "symbol": "string"}
    wrong = {"$or": [{name: {"$not": {"$type": kind}}} for name, kind in types.items()]}
    assert database["historical_data"].count_documents(wrong) == 0


@pytest.mark.timeout(600)
def test_the_collection_holds_exactly_the_record_and_a_second_run_touches_nothing(
    submit: Submit, database: Database[dict[str, Any]], shared_data: Path
) -> None:
    spans = [everything("BTCUSDT"), everything("ETHUSDT")]
    truth = recorded(shared_data, "BTCUSDT") | recorded(shared_data, "ETHUSDT")
    assert len(truth) == 8_640

    done = submit(spans, "first")
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "historical_data: ETHUSDT 1m to 2025-11-01 04:22: 8,640 of 8,640 candles" in done.stdout
    assert_holds(database, truth)
    report = find_report(database, "first")
    assert report is not None
    assert (report["source"], report["rows"], report["inserted"], report["missing"]) == (
        "rest",
        8_640,
        8_640,
        0,
    )
    assert report["timings"].keys() == {"plan_s", "spark_start_s", "ingest_s"}
    assert report_spans(report) == [
        (Span(symbol, Interval.MINUTE_1, RECORD_START, RECORD_END), 4_320)
        for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    assert {entry["first_open_time"] for entry in report["spans"]} == {RECORD_START}
    assert database["gaps"].count_documents({}) == 0

    stray = database["historical_data"].find_one({"symbol": "BTCUSDT"})
    assert stray is not None
    stray |= {"_id": "stray", "open_time": datetime(2025, 10, 30, 0, 0, 30, tzinfo=UTC)}
    stray["close_time"] = stray["open_time"]
    database["historical_data"].insert_one(stray)
    before = list(database["historical_data"].find().sort("_id"))
    done = submit(spans, "again")
    assert done.returncode == 0, done.stderr[-2_000:]
    assert list(database["historical_data"].find().sort("_id")) == before
    again = find_report(database, "again")
    assert again is not None
    assert [(entry["rows"], entry["unchanged"], entry["stored"]) for entry in again["spans"]] == [
        (4_320, 4_320, 4_321),
        (4_320, 4_320, 4_320),
    ]


def test_an_exchange_that_is_away_fails_with_one_clear_line(
    database: Database[dict[str, Any]],
    app_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nowhere = app_settings.model_copy(update={"rest_url": "http://127.0.0.1:9"})
    monkeypatch.setattr(historical_data, "settings", lambda: nowhere)
    code = historical_data.main(["--spans", dump_spans([everything("BTCUSDT")]), "--report", "away"])
    assert code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "historical_data failed: http://127.0.0.1:9/api/v3/exchangeInfo gave no usable answer"
    )
    assert database["historical_data"].count_documents({}) == 0
