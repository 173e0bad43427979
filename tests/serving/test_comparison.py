"""A challenger beside the champion on candles that neither has learned from."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pymongo.database import Database

from cryptobot.learning.dataset import Dataset
from cryptobot.serving import comparison, registry
from cryptobot.serving.bundle import MAX_BYTES, Bundle, open_bundle
from cryptobot.serving.comparison import compare, compare_with_champion
from cryptobot.serving.manifest import Window
from tests.learning.planted import dataset
from tests.serving.bundles import KEY
from tests.serving.models import add_model, promote_model

Db = Database[dict[str, Any]]
HORIZON = timedelta(minutes=15 * 16)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(4_000)


def ending(data: Dataset, rows_before: int) -> Window:
    """A window that ends so many labels before the newest test begins."""
    return Window(start=data.open_time[0], end=data.open_time[data.folds[-1].test[0] - rows_before])


def champion(database: Db, data: Dataset, rows_before: int = 100) -> Bundle:
    version = promote_model(database, window=ending(data, rows_before))
    return open_bundle(registry.load_bundle(database, version), KEY)


def foresight(data: Dataset, sure: float) -> np.ndarray:
    """Probabilities of the judged rows that lean towards what came."""
    judged = np.concatenate([fold.test for fold in data.folds[1:]])
    return np.full((len(judged), 3), (1 - sure) / 3) + sure * np.eye(3)[data.labels.label[judged]]


def test_both_are_scored_on_the_whole_newest_test_when_the_champion_knows_none_of_it(
    database: Db, data: Dataset
) -> None:
    served = champion(database, data)
    found = compare(data, foresight(data, 0.2), served)
    assert found is not None
    test = data.folds[-1].test
    assert (found["champion"], found["rows"]) == (served.manifest.version, len(test))
    assert (found["from"], found["to"]) == (data.open_time[test[0]], data.open_time[test[-1]])
    truth = data.labels.label[test]
    theirs = served.predict(data.rows[test])[np.arange(len(test)), truth]
    assert found["log_loss"]["champion"] == pytest.approx(-np.log(theirs).mean())
    assert found["log_loss"]["challenger"] == pytest.approx(-np.log(0.2 + 0.8 / 3))
    assert found["gain"] == pytest.approx(found["log_loss"]["champion"] - found["log_loss"]["challenger"])
    assert 0 < found["error"] < found["gain"]


def test_what_the_champion_learned_from_is_left_out_with_its_last_label(database: Db, data: Dataset) -> None:
    served = champion(database, data, rows_before=-60)
    found = compare(data, foresight(data, 0.2), served)
    assert found is not None
    assert found["from"] > served.manifest.window.end + HORIZON
    assert found["rows"] == len(data.folds[-1].test) - 60 - 17  # the last candle, and 16 to its label


def test_too_few_new_candles_decide_nothing(database: Db, data: Dataset) -> None:
    served = champion(database, data, rows_before=-(len(data.folds[-1].test) - 40))
    assert compare(data, foresight(data, 0.2), served) is None


def test_the_outcome_is_kept_with_the_challenger(database: Db, data: Dataset) -> None:
    served = champion(database, data)
    challenger = add_model(database, 1)
    judged = SimpleNamespace(probabilities=foresight(data, 0.2))
    found = compare_with_champion(database, data, judged, challenger, KEY)
    assert found is not None
    kept = registry.model(database, challenger)["comparison"]
    assert kept["champion"] == served.manifest.version
    assert kept["log_loss"] == found["log_loss"]


def test_a_quarantined_champion_is_not_even_opened(
    database: Db, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = champion(database, data).manifest.version
    challenger = add_model(database, 1)
    registry.quarantine(database, served, "a test")
    monkeypatch.setattr(comparison, "open_bundle", lambda *_: pytest.fail("opened"))
    judged = SimpleNamespace(probabilities=foresight(data, 0.2))
    assert compare_with_champion(database, data, judged, challenger, KEY) is None
    assert "comparison" not in registry.model(database, challenger)


def test_too_large_a_champion_is_not_read(
    database: Db, data: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    served = champion(database, data).manifest.version
    database["bundles.files"].update_one({"_id": served}, {"$set": {"length": MAX_BYTES + 1}})
    judged = SimpleNamespace(probabilities=foresight(data, 0.2))
    assert compare_with_champion(database, data, judged, add_model(database, 1), KEY) is None
    assert f"has {MAX_BYTES + 1} bytes, more than {MAX_BYTES}" in caplog.text


def test_a_champion_that_cannot_be_loaded_is_no_obstacle(database: Db, data: Dataset) -> None:
    judged = SimpleNamespace(probabilities=foresight(data, 0.2))
    first = add_model(database, 1)
    assert compare_with_champion(database, data, judged, first, KEY) is None
    registry.promote(database, "BTCUSDT", first, "first")
    assert compare_with_champion(database, data, judged, first, KEY) is None  # itself
    promote_model(database, 2, tamper=True)
    challenger = add_model(database, 3)
    assert compare_with_champion(database, data, judged, challenger, KEY) is None
    assert "comparison" not in registry.model(database, challenger)
