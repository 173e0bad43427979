"""The bundle: what it holds comes back, and nothing else is ever opened."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import SecretStr

from cryptobot.features import FEATURE_SET
from cryptobot.learning.calibration import Calibration
from cryptobot.serving import bundle as bundle_module
from cryptobot.serving.bundle import (
    MAGIC,
    BundleCorruptError,
    BundleError,
    BundleIncompatibleError,
    BundleTamperedError,
    open_bundle,
    write_bundle,
)
from cryptobot.serving.manifest import FeatureSchema, GoldenRow
from tests.serving.bad_bundles import giving_maps
from tests.serving.bundles import KEY, forest, forest_onnx, manifest

WIDTH = len(FEATURE_SET.names)


def rows(count: int = 50) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(count, WIDTH)).astype(np.float32)


def test_what_is_written_is_read_back_and_predicts_as_the_model() -> None:
    written, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    opened = open_bundle(data, KEY)
    assert opened.manifest == written
    assert written.version == f"BTCUSDT-20260102T030405Z-{written.sha256[:8]}"
    np.testing.assert_allclose(opened.predict(rows()), forest().predict_proba(rows()), atol=1e-6)
    opened.check_golden_rows()


def test_of_several_models_the_one_named_is_served_and_calibrated() -> None:
    calibration = Calibration(2.0, (0.1, 0.0, -0.1))
    models = {"random_forest": forest_onnx(0), "xgboost": forest_onnx(1)}
    written, data = write_bundle(manifest(algorithm="xgboost", calibration=calibration), models, KEY)
    assert [member.algorithm for member in written.members] == ["random_forest", "xgboost"]
    expected = calibration.apply(forest(1).predict_proba(rows()))
    np.testing.assert_allclose(open_bundle(data, KEY).predict(rows()), expected, atol=1e-5)


def test_a_bundle_without_the_model_it_names_is_corrupt() -> None:
    _, data = write_bundle(manifest(algorithm="mean"), {"random_forest": forest_onnx()}, KEY)
    with pytest.raises(BundleCorruptError, match="content"):
        open_bundle(data, KEY)


def test_the_same_content_gives_the_same_bytes_and_its_hash_does_not_depend_on_the_time() -> None:
    one, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    _, again = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    later, _ = write_bundle(
        manifest(created_at=datetime(2027, 1, 1, tzinfo=UTC)), {"random_forest": forest_onnx()}, KEY
    )
    other, _ = write_bundle(manifest(interval="1h"), {"random_forest": forest_onnx()}, KEY)
    assert data == again
    assert later.sha256 == one.sha256 != other.sha256
    assert later.version != one.version


@pytest.mark.parametrize("at", [len(MAGIC), len(MAGIC) + 40, 5_000, -1])
def test_a_changed_byte_is_noticed_before_anything_is_parsed(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    changed = bytearray(data)
    changed[at] ^= 1
    monkeypatch.setattr(bundle_module, "_unpack", lambda payload: pytest.fail("parsed unverified bytes"))
    with pytest.raises(BundleTamperedError):
        open_bundle(bytes(changed), KEY)


def test_another_key_is_refused() -> None:
    _, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, SecretStr("another"))
    with pytest.raises(BundleTamperedError, match="another key"):
        open_bundle(data, KEY)


@pytest.mark.parametrize(
    "data", [b"", b"CRYPTOB1", b"PK\x03\x04 no bundle at all, but long enough to hold one"]
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BundleCorruptError, match="not a model bundle"):
        open_bundle(data, KEY)


def test_a_bundle_cut_short_is_refused() -> None:
    _, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    with pytest.raises(BundleError):
        open_bundle(data[: len(data) // 2], KEY)


def test_too_large_a_bundle_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    monkeypatch.setattr(bundle_module, "MAX_BYTES", len(data) - 1)
    with pytest.raises(BundleCorruptError, match="more than"):
        open_bundle(data, KEY)
    with pytest.raises(BundleError, match="train smaller models"):
        write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)


def test_a_signed_model_that_is_no_onnx_is_corrupt() -> None:
    _, data = write_bundle(manifest(), {"random_forest": b"no model"}, KEY)
    with pytest.raises(BundleCorruptError, match="cannot be loaded"):
        open_bundle(data, KEY)


def test_a_bundle_without_models_is_corrupt() -> None:
    _, data = write_bundle(manifest(), {}, KEY)
    with pytest.raises(BundleCorruptError, match="content"):
        open_bundle(data, KEY)


def test_another_feature_set_is_incompatible() -> None:
    reordered = FeatureSchema(version=FEATURE_SET.version, names=FEATURE_SET.names[::-1])
    newer = FeatureSchema(version="v999", names=FEATURE_SET.names)
    for schema in (reordered, newer):
        _, data = write_bundle(manifest(feature_set=schema), {"random_forest": forest_onnx()}, KEY)
        with pytest.raises(BundleIncompatibleError, match="train again"):
            open_bundle(data, KEY)


def test_a_later_format_is_incompatible() -> None:
    _, data = write_bundle(manifest(format=3), {"random_forest": forest_onnx()}, KEY)
    with pytest.raises(BundleIncompatibleError, match="format 3"):
        open_bundle(data, KEY)


def test_golden_rows_that_differ_are_found() -> None:
    wrong = GoldenRow(features=(0.5,) * WIDTH, probabilities=(1.0, 0.0, 0.0))
    _, data = write_bundle(manifest(golden_rows=(wrong,)), {"random_forest": forest_onnx()}, KEY)
    with pytest.raises(BundleCorruptError, match="golden rows differ"):
        open_bundle(data, KEY).check_golden_rows()


@pytest.mark.parametrize("part", ["features", "probabilities"])
def test_golden_rows_of_different_lengths_are_corrupt(part: str) -> None:
    first, *others = manifest().golden_rows
    short = first.model_copy(update={part: getattr(first, part)[:-1]})
    _, data = write_bundle(manifest(golden_rows=(short, *others)), {"random_forest": forest_onnx()}, KEY)
    with pytest.raises(BundleCorruptError, match="golden rows cannot be scored"):
        open_bundle(data, KEY).check_golden_rows()


def test_a_model_that_gives_maps_is_corrupt() -> None:
    _, data = write_bundle(manifest(), {"random_forest": giving_maps()}, KEY)
    with pytest.raises(BundleCorruptError, match="golden rows cannot be scored"):
        open_bundle(data, KEY).check_golden_rows()


def test_rows_that_cannot_be_scored_are_refused() -> None:
    _, data = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    opened = open_bundle(data, KEY)
    missing = rows(2)
    missing[1, 3] = np.nan
    with pytest.raises(ValueError, match=FEATURE_SET.names[3]):
        opened.predict(missing)
    with pytest.raises(ValueError, match="are wanted"):
        opened.predict(rows()[:, :-1])


def test_reading_needs_neither_scikit_learn_nor_xgboost() -> None:
    program = (
        "import sys; import cryptobot.serving.bundle; "
        "print([m for m in ('sklearn', 'xgboost', 'skl2onnx', 'onnxmltools', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_manifest_is_a_document() -> None:
    written, _ = write_bundle(manifest(), {"random_forest": forest_onnx()}, KEY)
    document = written.document()
    assert document["created_at"] == manifest().created_at
    assert document["thresholds"] == {"buy": 0.4, "sell": 0.4}
    assert document["feature_set"]["names"] == list(FEATURE_SET.names)
    assert document["fit"] is False
