"""The data set: features and labels of the same candles, or a clear refusal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.dataset import Dataset, FeaturesMissingError, TooLittleHistoryError, make_dataset
from cryptobot.learning.window import sample_weights
from cryptobot.market import Interval
from tests.features.market import walk
from tests.learning.planted import dataset

QUARTER = Interval.MINUTE_15


def made(candles: pd.DataFrame, without: slice | None = None) -> Dataset:
    features = compute(candles, None, QUARTER)
    features.insert(0, "open_time", candles["open_time"])
    if without is not None:
        features = features.drop(index=features.index[without])
    return make_dataset("BTCUSDT", QUARTER, candles, features, FEATURE_SET.names)


def test_each_row_is_of_its_label_s_candle() -> None:
    candles = walk(1_300)
    found = made(candles)
    features = compute(candles, None, QUARTER)
    np.testing.assert_array_equal(found.rows, features.to_numpy(np.float32)[found.labels.row])
    assert found.open_time.tolist() == candles["open_time"][found.labels.row].tolist()
    assert np.isfinite(found.rows).all()
    np.testing.assert_array_equal(found.column("return_24"), found.rows[:, 3])


def test_too_little_history_names_what_there_is_and_what_is_needed() -> None:
    with pytest.raises(
        TooLittleHistoryError, match=r"600 candles give 488 labelled rows, and 1000 are needed"
    ):
        made(walk(600))


def test_candles_without_features_are_named() -> None:
    with pytest.raises(FeaturesMissingError, match=r"BTCUSDT 15m: 3 of 1300 candles .* 2025-01-11T10:00"):
        made(walk(1_300), without=slice(1_000, 1_003))


def test_a_market_of_one_class_cannot_be_learned() -> None:
    rising = walk(1_300)
    price = 100 * 1.01 ** np.arange(1_300)
    for name, factor in {"open": 1, "high": 1.02, "low": 1, "close": 1.01}.items():
        rising[name] = price * factor
    with pytest.raises(TooLittleHistoryError, match="hold 1 of the 3 classes"):
        made(rising)


def test_the_classes_weigh_the_same_and_unique_labels_more() -> None:
    data = dataset()
    positions = np.arange(len(data.labels))
    weights = sample_weights(data, positions)
    totals = np.bincount(data.labels.label, weights)
    np.testing.assert_allclose(totals, totals[0])
    assert weights.mean() == pytest.approx(1)
    buys = data.labels.label == 2
    assert np.corrcoef(weights[buys], data.uniqueness[buys])[0, 1] == pytest.approx(1)
