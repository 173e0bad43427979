from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymongo.database import Database

from cryptobot.decisions.decision import decide
from cryptobot.decisions.latest import NoCompleteCandleError, latest_candle
from cryptobot.decisions.signals import champion_bundles, write_batch_signals
from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.risk import PROFILES
from cryptobot.learning.signal import Thresholds
from cryptobot.market import Interval
from cryptobot.serving import registry
from cryptobot.settings import Settings
from tests.api.candles import candles, live
from tests.serving.bundles import KEY
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]


@pytest.fixture
def settings(app_settings: Settings) -> Settings:
    return app_settings.model_copy(update={"bundle_key": KEY})


def store_features(database: Db, count: int) -> list[dict[str, Any]]:
    """Store candles of both pairs, and BTCUSDT's features as the features job writes them."""
    documents, other = candles("BTCUSDT", count=count), candles("ETHUSDT", count=count)
    database.historical_data.insert_many([*documents, *other])
    values = compute(pd.DataFrame(documents), pd.DataFrame(other), Interval.MINUTE_15)
    rows = [
        {
            "_id": f"{document['_id']}|{FEATURE_SET.version}",
            "symbol": "BTCUSDT",
            "interval": "15m",
            "open_time": document["open_time"],
            "version": FEATURE_SET.version,
            "values": {name: None if np.isnan(value) else value for name, value in row.items()},
        }
        for document, row in zip(documents, values.to_dict("records"), strict=True)
    ]
    database.features.insert_many(rows)
    return documents


class TestRisk:
    def test_the_more_averse_the_surer_a_model_must_be(self) -> None:
        trained = Thresholds(buy=0.4, sell=0.45)
        careful, even, bold = (
            PROFILES[name].thresholds(trained) for name in ("conservative", "balanced", "aggressive")
        )
        assert even == trained
        assert careful.buy > even.buy > bold.buy
        assert careful.sell > even.sell > bold.sell
        assert PROFILES["conservative"].thresholds(Thresholds(0.94, 0.94)).buy <= 0.95


class TestBatch:
    def test_scores_the_last_candles_once(self, database: Db, settings: Settings) -> None:
        documents = store_features(database, 130)
        version = promote_model(database)
        written = write_batch_signals(settings, database, candles=20)
        assert written == {"scored": 20, "added": 20, "versions": {"BTCUSDT": version}}
        assert write_batch_signals(settings, database, candles=20)["added"] == 0
        stored = list(database.signals.find().sort("open_time"))
        assert [s["open_time"] for s in stored] == [d["open_time"] for d in documents[-20:]]
        last = stored[-1]
        assert last["_id"] == f"{documents[-1]['_id']}|{version}"
        assert last["close"] == documents[-1]["close"]
        assert last["confidence"] == last["probabilities"][last["signal"]]
        trained_until = champion_bundles(database, settings)[0].manifest.window.end
        assert [s["in_sample"] for s in stored] == [d["open_time"] <= trained_until for d in documents[-20:]]

    def test_candles_of_which_the_model_spoke_live_are_left_out(
        self, database: Db, settings: Settings
    ) -> None:
        documents = store_features(database, 130)
        version = promote_model(database)
        for candle, model in ((documents[-1], version), (documents[-2], "another")):
            database.signals.insert_one(
                {
                    "_id": f"{candle['_id']}|live",
                    "symbol": "BTCUSDT",
                    "open_time": candle["open_time"],
                    "model_version": model,
                    "source": "live",
                }
            )
        assert write_batch_signals(settings, database, candles=20)["added"] == 19
        batch = database.signals.find({"source": "batch"}).distinct("open_time")
        assert max(batch) == documents[-2]["open_time"]

    def test_candles_without_their_whole_warm_up_are_left_out(self, database: Db, settings: Settings) -> None:
        store_features(database, FEATURE_SET.warm_up + 5)
        promote_model(database)
        assert write_batch_signals(settings, database)["scored"] == 5

    def test_a_quarantined_champion_is_not_scored(self, database: Db, settings: Settings) -> None:
        other = promote_model(database, symbol="ETHUSDT")
        registry.quarantine(database, promote_model(database), "a test")
        assert [bundle.manifest.version for bundle in champion_bundles(database, settings)] == [other]

    def test_without_champion_there_is_nothing_to_score(self, database: Db, settings: Settings) -> None:
        assert write_batch_signals(settings, database) == {"scored": 0, "added": 0, "versions": {}}


class TestLatest:
    def test_live_and_batch_agree(self, database: Db, settings: Settings) -> None:
        documents = store_features(database, 130)
        promote_model(database)
        write_batch_signals(settings, database)
        bundle = champion_bundles(database, settings)[0]
        newest = latest_candle(database, bundle.manifest)
        stored = database.signals.find_one({"open_time": documents[-1]["open_time"]})
        assert stored is not None
        assert newest.open_time == stored["open_time"]
        assert newest.close == stored["close"]
        assert decide(bundle, newest.row)[0].probabilities == pytest.approx(stored["probabilities"], abs=1e-6)

    def test_a_gap_is_named_not_bridged(self, database: Db, settings: Settings) -> None:
        documents = store_features(database, 130)
        promote_model(database)
        manifest = champion_bundles(database, settings)[0].manifest
        missing = documents[-10]
        database.historical_data.delete_one({"_id": missing["_id"]})
        with pytest.raises(NoCompleteCandleError, match="gap"):
            latest_candle(database, manifest)
        database.streaming_data.insert_many(live([missing]))
        assert latest_candle(database, manifest).open_time == documents[-1]["open_time"]
