from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymongo.database import Database

from cryptobot.decisions.decision import decide
from cryptobot.decisions.live import NEEDED, REACH, Assessment, LiveScorer, Withheld
from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.risk import PROFILES
from cryptobot.market import Interval
from cryptobot.market.instant import to_ms
from cryptobot.serving.bundle import Bundle, open_bundle, write_bundle
from tests.api.candles import candles, live
from tests.serving.bundles import KEY, forest_onnx, golden_rows, manifest

Document = dict[str, Any]
Db = Database[Document]

BTC, ETH = candles("BTCUSDT", count=160), candles("ETHUSDT", count=160)
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def bundle(seed: int = 0, **changes: Any) -> Bundle:
    """Return a bundle of BTCUSDT as a registry's reader opens it."""
    _, data = write_bundle(
        manifest(golden_rows=golden_rows(seed), **changes), {"random_forest": forest_onnx(seed)}, KEY
    )
    return open_bundle(data, KEY)


def scorer(champion: Bundle | None = None, max_age_days: int = 30) -> LiveScorer:
    return LiveScorer(
        ("BTCUSDT", "ETHUSDT"), Interval.MINUTE_15, lambda symbol: champion, timedelta(days=max_age_days)
    )


def fed(champion: Bundle | None, *parts: list[Document]) -> LiveScorer:
    made = scorer(champion)
    for part in parts:
        for candle in part:
            made.add(candle)
    return made


def assess(made: LiveScorer, candle: Document) -> Assessment:
    found = made.assess(candle["symbol"], to_ms(candle["open_time"]), NOW)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def model() -> Bundle:
    return bundle()


class TestAgreementWithBatch:
    def test_features_and_probabilities_of_every_candle_are_those_of_batch(self, model: Bundle) -> None:
        batch = compute(pd.DataFrame(BTC), pd.DataFrame(ETH), Interval.MINUTE_15)
        made = scorer(model)
        compared = 0
        for index, (own, other) in enumerate(zip(live(BTC), live(ETH), strict=True)):
            made.add(own)
            made.add(other)
            found = assess(made, own)
            expected = batch.iloc[index]
            for name, value in found.features.items():
                if value is None:
                    assert np.isnan(expected[name])
                else:
                    assert value == pytest.approx(expected[name], rel=0, abs=1e-9)
            if index < FEATURE_SET.warm_up:
                assert found.withheld is Withheld.INCOMPLETE
                continue
            row = expected[list(FEATURE_SET.names)].to_numpy(np.float32).reshape(1, -1)
            for name, profile in PROFILES.items():
                decision = decide(model, row, profile)[0]
                assert found.signal is not None
                assert found.signal["profiles"][name] == decision.signal
                assert found.signal["probabilities"] == pytest.approx(decision.probabilities, abs=1e-9)
                compared += 1
        assert compared == 3 * (len(BTC) - FEATURE_SET.warm_up)

    def test_candles_read_from_the_database_and_those_of_the_wire_are_scored_alike(
        self, database: Db, model: Bundle
    ) -> None:
        database.historical_data.insert_many([*BTC[:100], *ETH[:100]])
        database.streaming_data.insert_many([*live(BTC[90:130]), *live(ETH[90:130])])
        loaded = scorer(model)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            loaded.load(database, symbol)
        for candle in [*live(BTC[130:]), *live(ETH[130:])]:
            loaded.add(candle)
        ours, theirs = assess(loaded, BTC[-1]), assess(fed(model, BTC, ETH), BTC[-1])
        assert ours.signal == theirs.signal
        assert ours.features == theirs.features


class TestSignal:
    def test_has_what_batch_has_and_one_identity_whatever_the_model(self, model: Bundle) -> None:
        other = bundle(1)
        first, second = (assess(fed(each, BTC, ETH), BTC[-1]).signal for each in (model, other))
        assert first is not None
        assert second is not None
        assert first["_id"] == second["_id"] == f"{BTC[-1]['_id']}|live"
        assert (first["model_version"], second["model_version"]) == (
            model.manifest.version,
            other.manifest.version,
        )
        assert first["source"] == "live"
        assert first["signal"] == first["profiles"]["balanced"]
        assert first["confidence"] == first["probabilities"][first["signal"]]
        assert first["close_time"] == BTC[-1]["close_time"]
        assert (first["late"], first["in_sample"], first["fit"]) == (False, False, False)

    def test_of_a_candle_that_is_not_the_newest_is_late(self, model: Bundle) -> None:
        made = fed(model, [c for c in BTC if c is not BTC[-3]], ETH)
        assert assess(made, BTC[-1]).withheld is Withheld.INCOMPLETE
        assert made.add(BTC[-3])
        found = assess(made, BTC[-3])
        assert found.late
        assert found.signal is not None
        assert found.signal["late"] is True
        assert not assess(made, BTC[-1]).late

    def test_a_repeated_candle_changes_nothing(self, model: Bundle) -> None:
        made = fed(model, BTC, ETH)
        before = assess(made, BTC[-1])
        assert not made.add({**BTC[-1], "close": 1.0})
        assert assess(made, BTC[-1]).signal == before.signal


class TestWithheld:
    def test_without_the_other_pairs_candle(self, model: Bundle) -> None:
        made = fed(model, BTC, ETH[:-1])
        found = assess(made, BTC[-1])
        assert (found.signal, found.withheld) == (None, Withheld.INCOMPLETE)
        assert "other_return_1" in found.why or "missing" in found.why
        assert made.missing("BTCUSDT", to_ms(BTC[-1]["open_time"])) == {
            "ETHUSDT": [to_ms(BTC[-1]["open_time"])]
        }
        assert found.features["return_1"] is not None, "rules read what is known"

    def test_without_any_candle_of_the_other_pair(self, model: Bundle) -> None:
        assert assess(fed(model, BTC), BTC[-1]).withheld is Withheld.INCOMPLETE

    def test_a_hole_is_told_and_filled_from_the_database(self, database: Db, model: Bundle) -> None:
        holes = [BTC[-5], BTC[-40]]
        made = fed(model, [c for c in BTC if c not in holes], ETH)
        lacking = made.missing("BTCUSDT", to_ms(BTC[-1]["open_time"]))
        assert lacking == {"BTCUSDT": [to_ms(c["open_time"]) for c in holes]}
        assert assess(made, BTC[-1]).withheld is Withheld.INCOMPLETE
        assert not made.refill(database, lacking)
        database.historical_data.insert_one(holes[0])
        database.streaming_data.insert_many(live(holes))
        assert made.refill(database, lacking)
        assert made.missing("BTCUSDT", to_ms(BTC[-1]["open_time"])) == {}
        assert assess(made, BTC[-1]).signal == assess(fed(model, BTC, ETH), BTC[-1]).signal

    def test_without_a_model_or_with_one_of_another_interval(self) -> None:
        found = assess(fed(None, BTC, ETH), BTC[-1])
        assert (found.withheld, found.version, found.fit) == (Withheld.NO_MODEL, None, False)
        assert found.features["pair_correlation_48"] is not None
        found = assess(fed(bundle(interval="1h"), BTC, ETH), BTC[-1])
        assert found.withheld is Withheld.NO_MODEL
        assert "1h" in found.why

    @pytest.mark.parametrize(("days", "withheld"), [(2, None), (1, Withheld.MODEL_EXPIRED)])
    def test_a_model_is_used_for_so_long_after_its_training(
        self, model: Bundle, days: int, withheld: Withheld | None
    ) -> None:
        made = scorer(model, max_age_days=days)  # trained until the first candle; the last is 40 h later
        for candle in [*BTC, *ETH]:
            made.add(candle)
        assert assess(made, BTC[-1]).withheld is withheld

    def test_prices_that_are_no_prices_are_named(self, model: Bundle) -> None:
        made = fed(model, BTC[:-1], ETH)
        made.add({**BTC[-1], "close": 0.0})
        found = assess(made, BTC[-1])
        assert found.withheld is Withheld.INCOMPLETE
        assert "close = 0.0" in found.why


class TestMemory:
    def test_keeps_a_bounded_number_of_candles(self, model: Bundle) -> None:
        many = candles("BTCUSDT", count=NEEDED + REACH + 3)
        made = fed(model, many)
        assert [made.holds("BTCUSDT", to_ms(c["open_time"])) for c in many[:4]] == [False] * 3 + [True]
        assert not made.add(many[0])
        assert made.assess("BTCUSDT", to_ms(many[0]["open_time"]), NOW) is None
