from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.gaps import ABSENT, record_states
from cryptobot.storage.job_reports import save_report
from cryptobot.storage.partitions import MissingReportError
from cryptobot.storage.quality import latest_result
from expectations import history
from expectations.checkpoint import (
    MissingResultError,
    is_large,
    load_result,
    run_checkpoint,
    run_streaming_checkpoint,
)
from expectations.context import prune, results_dir
from expectations.historical import LARGE_ROWS
from tests.expectations.candles import HOURS, documents, whole_span

Collections = Database[dict[str, Any]]


@pytest.fixture
def stored(database: Collections) -> Collections:
    """The database with sound candles of two symbols."""
    database["historical_data"].insert_many(documents() + documents("ETHUSDT"))
    return database


def report(rows: int) -> dict[str, Any]:
    span = whole_span()
    entry = {"symbol": span.symbol, "interval": "1h", "start": span.start, "end": span.end, "rows": rows}
    return {"_id": "run-1", "job": "historical_data", "spans": [entry], "finished_at": datetime.now(UTC)}


class TestOutcome:
    def test_sound_candles_pass_and_the_outcome_is_stored(
        self, settings: Settings, stored: Collections
    ) -> None:
        result = run_checkpoint(settings, stored, [whole_span(), whole_span("ETHUSDT")])
        assert (result.worst_severity, result.blocking, result.rows) == (None, False, 2 * HOURS)
        document = latest_result(stored, "historical_data")
        assert document is not None
        assert document["success"] is True
        assert [asset["name"] for asset in document["assets"]] == ["BTCUSDT-1h", "ETHUSDT-1h"]
        assert document["range"] == {"start": whole_span().start, "end": whole_span().end}
        assert document["report_path"] == "index.html"
        assert document["counts"] == {
            "passed": len(document["expectations"]),
            "critical": 0,
            "warning": 0,
            "info": 0,
        }
        fields = {"asset", "name", "column", "severity", "success", "observed", "rows"}
        assert document["expectations"][0].keys() == fields
        assert (
            "of the four weeks before"
            in document["assets"][0]["skipped"]["Comparison with the four weeks before"]
        )

    def test_fewer_candles_than_the_job_read_block(self, settings: Settings, stored: Collections) -> None:
        save_report(stored, report(rows=HOURS + 1))
        result = run_checkpoint(settings, stored, report_id="run-1")
        assert result.blocking
        assert [outcome.name for outcome in result.failures] == ["Every candle that was read is stored: 49"]
        assert result.assets[0].message == "critical: Every candle that was read is stored: 49 (48)"
        assert result.failures[0].observed == "48"
        assert (settings.docs_dir / result.report_path).is_file()

    def test_a_hole_that_nobody_recorded_blocks(self, settings: Settings, stored: Collections) -> None:
        stored["historical_data"].delete_one({"_id": documents()[7]["_id"]})
        save_report(stored, report(rows=HOURS - 1))
        result = run_checkpoint(settings, stored, report_id="run-1")
        assert (result.worst_severity, result.blocking) == ("critical", True)
        assert result.failures[0].rows == [documents()[7]["_id"]]
        assert "1 from 2026-01-01 07:00" in result.assets[0].message

    def test_a_hole_of_the_exchange_warns_and_does_not_block(
        self, settings: Settings, stored: Collections
    ) -> None:
        stored["historical_data"].delete_one({"_id": documents()[7]["_id"]})
        save_report(stored, report(rows=HOURS - 1))
        opened = whole_span().start + timedelta(hours=7)
        hole = replace(whole_span(), start=opened, end=opened + timedelta(hours=1))
        record_states(stored, whole_span(), [(hole, ABSENT)], found_by="test")
        result = run_checkpoint(settings, stored, report_id="run-1")
        assert (result.worst_severity, result.blocking) == ("warning", False)
        assert any("1 from 2026-01-01 07:00" in outcome.observed for outcome in result.failures)

    def test_what_is_kept_apart_of_the_range_is_shown(self, settings: Settings, stored: Collections) -> None:
        opened = whole_span().start
        entry = {
            "symbol": "BTCUSDT", "interval": "1h", "open_time": opened, "reason": "high below low",
            "fields": {}, "source": "rest", "found_at": opened,
        }  # fmt: skip
        stored["quarantine"].insert_one({"_id": "BTCUSDT|1h|0|x", **entry, "state": "open"})
        stored["quarantine"].insert_one({"_id": "BTCUSDT|1h|0|y", **entry, "state": "resolved"})
        result = run_checkpoint(settings, stored, [whole_span()])
        assert [(found.severity, found.rows) for found in result.failures] == [
            ("warning", ["BTCUSDT|1h|0|x"])
        ]

    def test_candles_unlike_those_of_the_weeks_before_warn(
        self, settings: Settings, stored: Collections
    ) -> None:
        day = replace(whole_span(), start=whole_span().start + timedelta(days=1))
        assert run_checkpoint(settings, stored, [day]).worst_severity is None
        grown = {name: {"$multiply": [f"${name}", 1000]} for name in ("volume", "quote_volume")}
        stored["historical_data"].update_many({"open_time": {"$gte": day.start}}, [{"$set": grown}])
        failures = run_checkpoint(settings, stored, [day]).failures
        assert [(found.column, found.severity) for found in failures] == [("volume", "warning")]

    def test_the_outcome_is_loaded_by_its_id(self, settings: Settings, stored: Collections) -> None:
        stored["historical_data"].delete_one({"_id": documents()[7]["_id"]})
        result = run_checkpoint(settings, stored, [whole_span()], result_id="result-1")
        loaded = load_result(stored, "result-1")
        assert loaded.document() == stored["quality_results"].find_one({"_id": "result-1"})
        assert (loaded.failures, loaded.report_path) == (result.failures, result.report_path)
        with pytest.raises(MissingResultError, match="result-2"):
            load_result(stored, "result-2")

    def test_large_is_said_of_reports_by_their_largest_range(self, database: Collections) -> None:
        save_report(database, report(rows=LARGE_ROWS))
        save_report(database, report(rows=LARGE_ROWS + 1) | {"_id": "run-2"})
        assert not is_large(database, ["run-1"])
        assert is_large(database, ["run-1", "run-2"])

    def test_candles_that_the_exchange_does_not_have_are_not_asked_for(
        self, settings: Settings, database: Collections
    ) -> None:
        save_report(database, report(rows=0))
        result = run_checkpoint(settings, database, report_id="run-1")
        assert (result.blocking, result.rows) == (False, 0)

    def test_several_ranges_of_one_symbol_are_told_apart(
        self, settings: Settings, stored: Collections
    ) -> None:
        span = whole_span()
        middle = span.start + timedelta(hours=20)
        halves = [replace(span, end=middle), replace(span, start=middle)]
        result = run_checkpoint(settings, stored, halves)
        assert (result.worst_severity, result.rows) == (None, HOURS)
        assert [asset.name for asset in result.assets] == [
            "BTCUSDT-1h-20260101T000000",
            "BTCUSDT-1h-20260101T200000",
        ]

    def test_a_run_without_a_report_is_named(self, settings: Settings, database: Collections) -> None:
        with pytest.raises(MissingReportError, match="run-7"):
            run_checkpoint(settings, database, report_id="run-7")


class TestReport:
    def test_pages_ask_no_other_server_for_anything(self, settings: Settings, stored: Collections) -> None:
        run_checkpoint(settings, stored, [whole_span()])
        pages = list(settings.docs_dir.rglob("*.html"))
        assert len(pages) == 2
        for page in pages:
            text = page.read_text()
            assert not any(mark in text for mark in ('src="', '<link rel="stylesheet', "url(http", "@import"))

    def test_only_the_newest_runs_are_kept(self, settings: Settings, stored: Collections) -> None:
        for _ in range(3):
            result = run_checkpoint(settings, stored, [whole_span()])
        prune(settings, keep=2)
        for folder in (results_dir(settings), settings.docs_dir / "validations"):
            runs = sorted(path.name for path in folder.glob("*/*/*"))
            assert len(runs) == 2
            assert runs[-1] == f"{result.run_id}"

    def test_results_of_ranges_checked_once_are_limited_in_all(
        self, settings: Settings, stored: Collections
    ) -> None:
        hours = [whole_span().start + timedelta(hours=hour) for hour in range(4)]
        spans = [replace(whole_span(), start=at, end=at + timedelta(hours=1)) for at in hours]
        run_checkpoint(settings, stored, spans)
        pages = settings.docs_dir / "validations"
        history.prune(results_dir(settings), pages, total=3)
        assert len(list(results_dir(settings).rglob("*.json"))) == len(list(pages.rglob("*.html"))) == 3

    def test_runs_at_the_same_time_wait_for_each_other(self, settings: Settings, stored: Collections) -> None:
        runs = [
            threading.Thread(target=run_checkpoint, args=(settings, stored, [whole_span()])) for _ in range(3)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join(60)
        assert stored["quality_results"].count_documents({"success": True}) == 3
        index = (settings.docs_dir / "index.html").read_text()
        assert index.count('class="run card" data-outcome="passed"') == 3
        addresses = [part.split('"')[0] for part in index.split('href="validations/')[1:]]
        assert all((Path(settings.docs_dir) / "validations" / address).is_file() for address in addresses)


class TestLive:
    def trade(self, symbol: str, number: int, received_at: datetime, price: float = 1.0) -> dict[str, Any]:
        return {
            "_id": f"trade|{symbol}|{number}", "kind": "trade", "symbol": symbol, "trade_id": number,
            "price": price, "quantity": 1.0, "buyer_is_maker": True, "event_time": received_at,
            "received_at": received_at,
        }  # fmt: skip

    def fill(self, database: Collections, received_at: datetime, price: float = 1.0) -> None:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
            seen = {"symbol": symbol, "received_at": received_at}
            database["streaming_data"].insert_many(
                [
                    self.trade(symbol, 1, received_at, price),
                    {"_id": f"ticker|{symbol}", "kind": "ticker", **prices, **seen},
                    {"_id": f"kline|{symbol}|1m|0", "kind": "kline", "interval": "1m", **prices, **seen},
                ]
            )

    def run(self, settings: Settings, database: Collections) -> list[tuple[str, str]]:
        result = run_streaming_checkpoint(settings, database)
        return [(outcome.asset, outcome.name.split(" after")[0]) for outcome in result.failures]

    def test_what_arrives_now_passes(self, settings: Settings, database: Collections) -> None:
        self.fill(database, datetime.now(UTC))
        assert self.run(settings, database) == []

    def test_a_feed_that_stands_is_critical(self, settings: Settings, database: Collections) -> None:
        self.fill(database, datetime.now(UTC) - timedelta(minutes=5))
        assert self.run(settings, database) == [("trades", "The newest came"), ("tickers", "The newest came")]

    def test_a_price_of_zero_is_critical(self, settings: Settings, database: Collections) -> None:
        self.fill(database, datetime.now(UTC), price=0.0)
        assert self.run(settings, database) == [("trades", "price is above zero")]

    def test_nothing_at_all_is_critical(self, settings: Settings, database: Collections) -> None:
        assert ("trades", "The newest came") in self.run(settings, database)
