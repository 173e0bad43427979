from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.learning.drift import Index
from cryptobot.learning.labels import Barriers, triple_barrier
from cryptobot.learning.reference import PROBABILITY_EDGES, Distribution
from cryptobot.learning.signal import BUY
from cryptobot.market import Interval
from cryptobot.serving import drift
from tests.features.market import walk
from tests.serving.bundles import reference
from tests.serving.drifting import AFTER, START, STEP, TRAINED, store_features, store_signals, train
from tests.serving.models import add_model

Db = Database[dict[str, Any]]


def newest(database: Db) -> dict[str, Any]:
    measured, unmeasured = drift.measure_champions(database, ["BTCUSDT"])
    assert unmeasured == {}
    return measured["BTCUSDT"]


def test_a_market_that_stays_has_not_drifted(database: Db) -> None:
    version = train(database)
    store_features(database)
    day = newest(database)
    assert day["_id"] == f"BTCUSDT|{version}|2026-01-25"
    assert (day["drifted"], day["reasons"], day["in_sample"]) == (False, [], False)
    assert day["features_share"] < day["features_share_limit"]
    assert {each["name"] for each in day["features"]} == set(FEATURE_SET.names)
    assert day["to"] == START + (TRAINED + AFTER) * STEP
    assert day["to"] - day["from"] == day["rows"] * STEP
    assert day["predictions"] is None


def test_a_market_that_moves_away_has(database: Db) -> None:
    train(database)
    store_features(database, shift=1.5)
    day = newest(database)
    assert day["drifted"]
    assert day["features_share"] == 1
    (reason,) = day["reasons"]
    assert reason.startswith("100% of the features are distributed unlike in the training")


def test_each_day_has_its_document_and_measuring_again_changes_nothing(database: Db) -> None:
    version = train(database)
    store_features(database, shift=1.5)
    for _ in range(2):
        drift.measure_champions(database, ["BTCUSDT"])
        days = list(database.drift.find({}, {"measured_at": 0}).sort("day"))
        assert days == [
            {name: value for name, value in day.items() if name != "measured_at"}
            for day in drift.measure(database, "BTCUSDT")
        ]
    assert [day["_id"] for day in days] == [
        f"BTCUSDT|{version}|{START + timedelta(n):%Y-%m-%d}" for n in range(25)
    ]
    learned = START + (TRAINED - 1) * STEP
    assert all(day["in_sample"] == (day["to"] <= learned + STEP) for day in days)
    assert not any(day["drifted"] for day in days if day["in_sample"])
    assert any(day["in_sample"] for day in days)
    assert [day["drifted"] for day in days[-3:]] == [True] * 3


def test_a_day_is_measured_the_same_when_more_is_known(database: Db) -> None:
    train(database)
    store_features(database, after=200)
    first = {day["_id"]: day["features"] for day in drift.measure(database, "BTCUSDT")[:-1]}
    database.features.delete_many({})
    store_features(database, after=AFTER)
    later = {day["_id"]: day["features"] for day in drift.measure(database, "BTCUSDT")}
    assert {key: later[key] for key in first if key in later} == {
        key: first[key] for key in first if key in later
    }


def test_predictions_and_hits_are_of_what_was_said_after_the_training(database: Db) -> None:
    even = (0.1,) * 10
    bold = {
        name: Distribution(PROBABILITY_EDGES, even if name == "hold" else (0, 0, 0.3, 0.7, *(0,) * 6))
        for name in ("sell", "hold", "buy")
    }
    known = reference()
    version = train(
        database,
        reference=type(known)(known.features, bold, {"buy": 0.9, "sell": None}, known.rows),
    )
    store_features(database)
    store_signals(database, version, "buy", {"sell": 0.05, "hold": 0.05, "buy": 0.9})
    day = newest(database)
    assert day["predictions"]["rows"] == day["rows"]
    buy, sell = day["hits"]["buy"], day["hits"]["sell"]
    labels = triple_barrier(walk(TRAINED + AFTER, start=f"{START:%Y-%m-%d}"), Interval.MINUTE_15)
    since = labels.label[labels.row >= TRAINED]
    assert buy["signals"] == len(since) == AFTER - Barriers().horizon
    assert buy["hits"] == (since == BUY).sum()
    assert buy["rate"] < buy["lowest"] < buy["expected"] == 0.9
    assert (sell["signals"], sell["rate"], sell["fallen"]) == (0, None, False)
    assert day["drifted"]
    assert any(reason.startswith(f"of {buy['signals']} buy signals") for reason in day["reasons"])


@pytest.mark.parametrize(("shifted", "drifted"), [(("buy",), False), (("buy", "sell"), True)])
def test_what_has_shifted_in_one_class_alone_is_chance(
    database: Db, monkeypatch: pytest.MonkeyPatch, shifted: tuple[str, ...], drifted: bool
) -> None:
    def indices(*_: Any) -> dict[str, Index]:
        return {name: Index(0.5 if name in shifted else 0.1, 0.3) for name in ("sell", "hold", "buy")}

    monkeypatch.setattr("cryptobot.learning.drift.prediction_drift", indices)
    version = train(database)
    store_features(database)
    store_signals(database, version, "hold", {"sell": 0.3, "hold": 0.4, "buy": 0.3})
    day = newest(database)
    assert day["drifted"] is drifted
    if drifted:
        assert "sell (0.50, limit 0.30) and buy (0.50, limit 0.30)" in day["reasons"][0]


def test_what_cannot_be_measured_is_said(database: Db) -> None:
    assert drift.measure_champions(database, ["BTCUSDT"]) == ({}, {"BTCUSDT": "BTCUSDT has no champion yet"})
    add_model(database)
    version = train(database)
    with pytest.raises(drift.NothingToMeasureError, match="only 0 still have features"):
        drift.measure(database, "BTCUSDT")
    database.models.update_one({"_id": version}, {"$unset": {"reference": ""}})
    with pytest.raises(drift.NothingToMeasureError, match="before drift was measured"):
        drift.measure(database, "BTCUSDT")
    assert database.drift.count_documents({}) == 0


def test_the_summary_is_plain(database: Db) -> None:
    train(database)
    store_features(database, shift=1.5)
    day = newest(database)
    assert drift.summary(day) == {
        "version": day["version"],
        "day": "2026-01-25",
        "drifted": True,
        "reasons": day["reasons"],
        "features_share": 1.0,
        "hit_rate": {"buy": None, "sell": None},
    }
