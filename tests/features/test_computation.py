"""Features: causal, with exact warm-up, the same in batch and live."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from cryptobot.features import FEATURE_SET, Feature, FeatureInputError, compute, other_symbol
from cryptobot.market import Interval
from cryptobot.settings import ROOT
from tests.features.market import recorded, walk

QUARTER = Interval.MINUTE_15
CALENDAR = {"hour_sin", "hour_cos", "week_sin", "week_cos"}
BY_NAME = pytest.mark.parametrize("feature", FEATURE_SET.features, ids=FEATURE_SET.names)
LAST = 299


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return walk(400, seed=1)


@pytest.fixture(scope="module")
def other() -> pd.DataFrame:
    return walk(400, seed=2)


@pytest.fixture(scope="module")
def full(candles: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    return compute(candles, other, QUARTER)


UP = {"open": 1.01, "high": 1.20, "low": 0.99, "close": 1.04}
DOWN = {"open": 0.99, "high": 1.01, "low": 0.85, "close": 0.96}
BUSY = {"volume": 3.0, "quote_volume": 3.3, "trades": 1.5, "taker_buy_base": 2.0}


def shaken(frame: pd.DataFrame, row: int, prices: dict[str, float] = UP) -> pd.DataFrame:
    """Return the frame with one candle made another: prices moved, more traded."""
    changed = frame.astype({"trades": float})
    for name, factor in {**prices, **BUSY}.items():
        changed.loc[row, name] *= factor
    return changed


def test_the_set_is_of_unique_names_with_sources() -> None:
    assert len(set(FEATURE_SET.names)) == len(FEATURE_SET.names) == 40
    assert all(feature.source for feature in FEATURE_SET.features)
    assert FEATURE_SET.warm_up == 96


@pytest.mark.parametrize("cut", [97, 98, 150, 251, 399])
def test_nothing_looks_ahead(
    cut: int, candles: pd.DataFrame, other: pd.DataFrame, full: pd.DataFrame
) -> None:
    truncated = compute(candles[:cut], other[:cut], QUARTER)
    assert_frame_equal(truncated, full[:cut], rtol=1e-9, atol=1e-12)


@BY_NAME
def test_a_feature_does_not_read_candles_after_its_own(
    feature: Feature, candles: pd.DataFrame, other: pd.DataFrame, full: pd.DataFrame
) -> None:
    changed = compute(shaken(candles, LAST + 1), shaken(other, LAST + 1), QUARTER)
    assert changed[feature.name][LAST] == pytest.approx(full[feature.name][LAST], rel=1e-9, abs=1e-12)


@BY_NAME
def test_a_feature_reads_back_exactly_as_far_as_its_warm_up(
    feature: Feature, candles: pd.DataFrame, other: pd.DataFrame, full: pd.DataFrame
) -> None:
    before = LAST - feature.warm_up - 1
    beyond = compute(shaken(candles, before), shaken(other, before), QUARTER)
    assert beyond[feature.name][LAST] == pytest.approx(full[feature.name][LAST], rel=1e-9, abs=1e-12)
    within = [
        compute(shaken(candles, before + 1, prices), shaken(other, before + 1), QUARTER)
        for prices in (UP, DOWN)  # formulas that read only signs see one of the two
    ]
    seen = any(frame[feature.name][LAST] != full[feature.name][LAST] for frame in within)
    assert seen is (feature.name not in CALENDAR)


@BY_NAME
def test_a_feature_begins_when_it_is_warm(feature: Feature, full: pd.DataFrame) -> None:
    assert full[feature.name].isna().sum() == feature.warm_up
    assert full[feature.name][feature.warm_up :].notna().all()


def test_a_live_row_equals_the_batch(candles: pd.DataFrame, other: pd.DataFrame, full: pd.DataFrame) -> None:
    size = FEATURE_SET.warm_up + 1
    for end in range(size, len(candles) + 1, 7):
        live = compute(candles[end - size : end], other[end - size : end], QUARTER)
        np.testing.assert_allclose(live.iloc[-1], full.iloc[end - 1], rtol=1e-9, atol=1e-9)


def test_a_live_row_equals_the_batch_on_recorded_candles(shared_data: Path) -> None:
    bitcoin, ether = recorded(shared_data, "BTCUSDT"), recorded(shared_data, "ETHUSDT")
    batch = compute(bitcoin, ether, Interval.MINUTE_1)
    size = FEATURE_SET.warm_up + 1
    assert np.isfinite(batch[FEATURE_SET.warm_up :].to_numpy()).all()
    for end in range(size, len(bitcoin) + 1, 101):
        live = compute(bitcoin[end - size : end], ether[end - size : end], Interval.MINUTE_1)
        np.testing.assert_allclose(live.iloc[-1], batch.iloc[end - 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("holed", ["own", "other"])
def test_a_gap_is_a_gap(holed: str, candles: pd.DataFrame, other: pd.DataFrame, full: pd.DataFrame) -> None:
    missing = 200
    keep = candles.index != missing
    own, paired = (candles[keep], other) if holed == "own" else (candles, other[keep])
    found = compute(own, paired, QUARTER)
    for feature in FEATURE_SET.features:
        crossing = full.index.isin(range(missing, missing + feature.warm_up + 1))
        touched = holed == "own" or feature.paired
        values, expected = found[feature.name], full[feature.name].where(~(crossing & touched))
        if holed == "own":
            expected = expected[keep]
        pd.testing.assert_series_equal(values, expected, rtol=1e-9, check_names=False)


@settings(max_examples=30, deadline=None)
@given(
    own_holes=st.sets(st.integers(0, 399), max_size=4),
    other_holes=st.sets(st.integers(0, 399), max_size=4),
    begin=st.integers(0, 200),
    size=st.integers(1, 200),
)
def test_any_part_of_a_history_with_holes_says_what_the_whole_says_or_nothing(
    candles: pd.DataFrame,
    other: pd.DataFrame,
    full: pd.DataFrame,
    own_holes: set[int],
    other_holes: set[int],
    begin: int,
    size: int,
) -> None:
    own, paired = candles.drop(index=own_holes), other.drop(index=other_holes)
    whole = compute(own, paired, QUARTER)
    part = compute(own.loc[begin : begin + size], paired.loc[begin : begin + size], QUARTER)
    for feature in FEATURE_SET.features:
        found, known, without_holes = (
            frame.loc[part.index, feature.name].to_numpy() for frame in (part, whole, full)
        )
        warm = part.index - begin >= feature.warm_up
        # What lies before the part is missed by none that is warm.
        np.testing.assert_array_equal(np.isnan(found[warm]), np.isnan(known[warm]), feature.name)
        said = ~np.isnan(found)
        np.testing.assert_allclose(
            found[said], without_holes[said], rtol=1e-9, atol=1e-9, err_msg=feature.name
        )


def test_without_another_pair_its_features_say_nothing(candles: pd.DataFrame) -> None:
    alone = compute(candles, None, QUARTER).iloc[-1]
    paired = [feature.name for feature in FEATURE_SET.features if feature.paired]
    assert len(paired) == 4
    assert (alone[paired] == 0).all()
    assert alone.notna().all()


def test_a_market_that_stands_still_has_features() -> None:
    still = walk(200)
    for name in ("open", "high", "low", "close"):
        still[name] = 30_000.1  # a price whose mean over some windows is not itself, by rounding
    for name in ("volume", "quote_volume", "trades", "taker_buy_base"):
        still[name] = 0.0
    computed = compute(still, still, QUARTER)[FEATURE_SET.warm_up :]
    assert np.isfinite(computed.to_numpy()).all()
    assert computed["bollinger_position_20"].eq(0).all()


def test_months_are_on_a_grid_of_their_own() -> None:
    months = walk(120)
    months["open_time"] = pd.date_range("2015-01-01", periods=120, freq="MS", tz="UTC")
    assert compute(months, None, Interval.MONTH_1).iloc[-1].notna().all()


def test_no_candles_have_no_features(candles: pd.DataFrame) -> None:
    assert compute(candles[:0], None, QUARTER).shape == (0, 40)


def test_prices_scaled_alike_give_the_same_features(candles: pd.DataFrame) -> None:
    prices = ["open", "high", "low", "close"]
    cheaper = candles.assign(**{name: candles[name] / 1_024 for name in prices})
    cheaper["volume"] *= 1_024
    cheaper["taker_buy_base"] *= 1_024
    assert_frame_equal(compute(cheaper, None, QUARTER), compute(candles, None, QUARTER), rtol=1e-9, atol=1e-9)


def test_broken_candles_are_refused_by_name(candles: pd.DataFrame) -> None:
    with pytest.raises(FeatureInputError, match="does not come after"):
        compute(candles[::-1], None, QUARTER)
    broken = candles.copy()
    broken.loc[5, "low"] = 0.0
    with pytest.raises(FeatureInputError, match=r"2025-01-01T01:15:00\+00:00 has low = 0.0"):
        compute(broken, None, QUARTER)
    broken.loc[5, "low"] = np.nan
    with pytest.raises(FeatureInputError, match="low = nan"):
        compute(broken, None, QUARTER)


def test_the_last_row_takes_little_of_the_processor(candles: pd.DataFrame, other: pd.DataFrame) -> None:
    window, paired = candles[-97:], other[-97:]
    compute(window, paired, QUARTER)
    times = []
    for _ in range(20):
        begun = time.thread_time()
        compute(window, paired, QUARTER)
        times.append(time.thread_time() - begun)
    assert min(times) < 0.015


def test_the_other_symbol_is_the_first_that_is_another() -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    assert [other_symbol(symbol, symbols) for symbol in symbols] == ["ETHUSDT", "BTCUSDT", "BTCUSDT"]
    assert other_symbol("BTCUSDT", ("BTCUSDT",)) is None


def test_every_feature_is_documented_in_order() -> None:
    table = (ROOT / "docs" / "FEATURES.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table if line.startswith("| `")]
    assert [(name, int(warm_up), source) for name, warm_up, _, source in rows] == [
        (f"`{feature.name}`", feature.warm_up, feature.source) for feature in FEATURE_SET.features
    ]
