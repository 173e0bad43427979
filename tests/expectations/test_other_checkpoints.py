"""Features, the live candles of a day, and what is known of the pairs: each fault is caught."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymongo.database import Database

from cryptobot.features import FEATURE_SET, compute
from cryptobot.market import Interval, kline_id
from cryptobot.market.instant import to_ms
from cryptobot.settings import Settings
from cryptobot.storage.job_reports import save_report
from expectations.checkpoint import (
    run_exchange_info_checkpoint,
    run_features_checkpoint,
    run_reconciliation_checkpoint,
)
from expectations.features import bounds_of
from expectations.result import QualityResult
from tests.expectations.candles import START, documents
from tests.features.market import walk
from tests.spark_jobs.market import store_candles

Collections = Database[dict[str, Any]]


def named(result: QualityResult) -> dict[str, tuple[str, str]]:
    """Return what failed: severity and finding by name."""
    return {found.name: (found.severity, found.observed) for found in result.failures}


class TestFeatures:
    COUNT = 300

    @pytest.fixture
    def stored(self, database: Collections) -> Collections:
        """Candles of two pairs, the features of one, and the report of the job that made them."""
        own, other = walk(self.COUNT, seed=1), walk(self.COUNT, seed=2)
        store_candles(database, "BTCUSDT", "15m", own)
        store_candles(database, "ETHUSDT", "15m", other)
        values = compute(own, other, Interval.MINUTE_15)
        times = [opened.to_pydatetime() for opened in own["open_time"]]
        database["features"].insert_many(
            [
                {
                    "_id": f"{kline_id('BTCUSDT', '15m', to_ms(opened))}|{FEATURE_SET.version}",
                    "symbol": "BTCUSDT",
                    "interval": "15m",
                    "open_time": opened,
                    "version": FEATURE_SET.version,
                    "values": {name: None if np.isnan(value) else value for name, value in row.items()},
                }
                for opened, row in zip(times, values.to_dict("records"), strict=True)
            ]
        )
        span = {
            "symbol": "BTCUSDT",
            "interval": "15m",
            "start": times[0],
            "end": datetime(9999, 1, 1, tzinfo=UTC),
        }
        save_report(database, {"_id": "run", "job": "features", "spans": [{**span, "rows": self.COUNT}]})
        return database

    def change(self, database: Collections, row: int, **values: float | None) -> str:
        """Change values of a row and return its key."""
        key = database["features"].find().sort("open_time", 1).skip(row).limit(1)[0]["_id"]
        changed = {f"values.{name}": value for name, value in values.items()}
        database["features"].update_one({"_id": key}, {"$set": changed})
        return str(key)

    def test_features_as_the_job_makes_them_pass(self, settings: Settings, stored: Collections) -> None:
        result = run_features_checkpoint(settings, stored, "run")
        assert (result.failures, result.rows, result.collection) == ([], self.COUNT, "features")
        assert "Drift against the four weeks before" in result.assets[0].skipped

    def test_a_candle_without_features_is_critical(self, settings: Settings, stored: Collections) -> None:
        stored["features"].delete_one({})
        found = named(run_features_checkpoint(settings, stored, "run"))
        assert found["Each candle has its features: 300"] == ("critical", "299")

    def test_a_value_beyond_its_bounds_or_infinite_is_critical(
        self, settings: Settings, stored: Collections
    ) -> None:
        key = self.change(stored, 150, channel_position_48=1.5, return_1=float("inf"))
        result = run_features_checkpoint(settings, stored, "run")
        rows = {found.name: found.rows for found in result.failures if found.severity == "critical"}
        assert rows["channel_position_48 is from 0 to 1"] == rows["No value is infinite"] == [key]

    def test_a_feature_that_knew_more_than_its_candles_is_critical(
        self, settings: Settings, stored: Collections
    ) -> None:
        key = self.change(stored, self.COUNT - 1, return_4=0.123)
        (found,) = run_features_checkpoint(settings, stored, "run").failures
        assert (found.severity, found.rows) == ("critical", [key])
        assert "return_4 is 0.123, at its close it was" in found.observed

    def test_too_many_unknown_values_are_a_warning(self, settings: Settings, stored: Collections) -> None:
        stored["features"].update_many({}, {"$set": {"values.aroon_24": None}})
        result = run_features_checkpoint(settings, stored, "run")
        found = named(result)["aroon_24 is known of at least 95% of candles after the warm-up"]
        assert found[0] == "warning"

    def test_drift_against_the_weeks_before_is_a_warning(
        self, settings: Settings, stored: Collections
    ) -> None:
        later = stored["features"].find().sort("open_time", 1).skip(200).limit(1)[0]["open_time"]
        stored["job_reports"].update_one({"_id": "run"}, {"$set": {"spans.0.start": later}})
        assert run_features_checkpoint(settings, stored, "run").worst_severity is None
        stored["features"].update_many({"open_time": {"$gte": later}}, {"$set": {"values.realised_24": 0.9}})
        result = run_features_checkpoint(settings, stored, "run")
        drifted = [found for found in result.failures if found.severity == "warning"]
        assert [found.column for found in drifted] == ["realised_24"]

    def test_every_value_that_the_formulas_give_is_within_the_bounds(self) -> None:
        own, other = walk(400, seed=3), walk(400, seed=4)
        values = compute(own, other, Interval.MINUTE_15)
        bounded = [feature for feature in FEATURE_SET.features if bounds_of(feature) is not None]
        assert len(bounded) > 15
        for feature in bounded:
            low, high = bounds_of(feature) or (None, None)
            seen: pd.Series = values[feature.name].dropna()
            assert low is None or seen.min() >= low - 1e-9, feature.name
            assert high is None or seen.max() <= high + 1e-9, feature.name


class TestReconciliation:
    @pytest.fixture
    def stored(self, database: Collections) -> Collections:
        """A day of hourly candles of BTCUSDT, the same in both collections."""
        day = documents(hours=24)
        database["historical_data"].insert_many(day)
        only_rest = ("source", "ingested_at")
        live = [
            {
                **{name: value for name, value in candle.items() if name not in only_rest},
                "_id": f"kline|{candle['_id']}",
                "kind": "kline",
                "received_at": candle["close_time"],
            }
            for candle in day
        ]
        database["streaming_data"].insert_many(live)
        return database

    def run(self, settings: Settings, database: Collections, day: datetime = START) -> QualityResult:
        configured = {"symbols": ("BTCUSDT",), "intervals": ("1w", "3d", "1h")}
        return run_reconciliation_checkpoint(
            settings.model_copy(update=configured), database, f"{day:%Y-%m-%d}"
        )

    def test_equal_candles_pass(self, settings: Settings, stored: Collections) -> None:
        result = self.run(settings, stored)
        assert (result.failures, result.rows, result.collection) == ([], 24, "reconciliation")

    def test_a_longer_candle_is_compared_on_the_day_that_ends_it(
        self, settings: Settings, stored: Collections
    ) -> None:
        key = kline_id("BTCUSDT", "3d", to_ms(START))
        of_three_days = {"interval": "3d", "close_time": START + timedelta(days=3, milliseconds=-1)}
        stored["historical_data"].insert_one(documents()[0] | of_three_days | {"_id": key})
        last_day = START + timedelta(days=2)
        result = self.run(settings, stored, last_day)
        (found,) = result.failures
        assert (found.column, found.rows) == ("not_live", [key])
        assert (result.start, result.end) == (last_day, last_day + timedelta(days=1))

    def test_a_candle_that_differs_in_the_last_bit_is_critical(
        self, settings: Settings, stored: Collections
    ) -> None:
        key = documents()[3]["_id"]
        volume = float(np.nextafter(10.0, 11.0))
        stored["streaming_data"].update_one({"_id": f"kline|{key}"}, {"$set": {"volume": volume}})
        (found,) = self.run(settings, stored).failures
        assert (found.severity, found.rows) == ("critical", [key])

    def test_what_only_one_side_has_is_a_warning(self, settings: Settings, stored: Collections) -> None:
        missed, early = documents()[3]["_id"], documents()[5]["_id"]
        stored["streaming_data"].delete_one({"_id": f"kline|{missed}"})
        stored["historical_data"].delete_one({"_id": early})
        found = {found.column: (found.severity, found.rows) for found in self.run(settings, stored).failures}
        assert found == {"not_live": ("warning", [missed]), "not_rest": ("warning", [early])}

    def test_a_day_without_live_candles_lists_them(self, settings: Settings, stored: Collections) -> None:
        stored["streaming_data"].delete_many({})
        (found,) = self.run(settings, stored).failures
        assert (found.severity, len(found.rows)) == ("warning", 20)


class TestExchangeInfo:
    def fill(self, database: Collections, **changes: Any) -> None:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            known = {
                "_id": symbol, "status": "TRADING", "base_asset": symbol[:3], "quote_asset": "USDT",
                "filters": {"PRICE_FILTER": {}, "LOT_SIZE": {}}, "fetched_at": datetime.now(UTC),
            }  # fmt: skip
            database["exchange_info"].insert_one({**known, **(changes if symbol == "ETHUSDT" else {})})

    def test_pairs_that_trade_pass(self, settings: Settings, database: Collections) -> None:
        self.fill(database)
        assert run_exchange_info_checkpoint(settings, database).failures == []

    @pytest.mark.parametrize(
        ("changes", "name", "severity"),
        [
            ({"status": "HALT"}, "Every configured pair trades", "critical"),
            ({"filters": {"LOT_SIZE": {}}}, "The rules for prices", "critical"),
            ({"fetched_at": datetime.now(UTC) - timedelta(days=3)}, "It was read after", "warning"),
        ],
        ids=["halted", "filters", "stale"],
    )
    def test_what_is_wrong_with_a_pair_is_named(
        self, settings: Settings, database: Collections, changes: dict[str, Any], name: str, severity: str
    ) -> None:
        self.fill(database, **changes)
        (found,) = run_exchange_info_checkpoint(settings, database).failures
        assert found.name.startswith(name)
        assert (found.severity, found.rows) == (severity, ["ETHUSDT"])

    def test_a_pair_that_is_not_known_is_critical(self, settings: Settings, database: Collections) -> None:
        assert run_exchange_info_checkpoint(settings, database).blocking
