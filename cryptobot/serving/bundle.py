"""The model bundle: one signed file that holds a manifest and ONNX models, never a pickle.

Layout: eight bytes of magic, the HMAC-SHA256 of the payload's SHA-256, and the payload, an
uncompressed zip with fixed times. Nothing of the payload is parsed before the signature holds.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import orjson
from pydantic import SecretStr

from cryptobot.features import FEATURE_SET
from cryptobot.learning.signal import CLASSES, signals
from cryptobot.serving.manifest import FORMAT, Manifest, Member, version_of

MAGIC = b"CRYPTOB1"
MAX_BYTES = 64 * 1024 * 1024
GOLDEN_TOLERANCE = 1e-5

_HEADER = len(MAGIC) + hashlib.sha256().digest_size
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_MANIFEST = "manifest.json"


class BundleError(Exception):
    """A bundle that must not be served; the message says why."""


class BundleTamperedError(BundleError):
    """The signature does not hold: the bytes were changed, or signed with another key."""


class BundleCorruptError(BundleError):
    """The bytes are not a whole bundle, or the model does not do what its manifest says."""


class BundleIncompatibleError(BundleError):
    """A sound bundle that this version of the product cannot serve; train again."""


class Bundle:
    """A verified bundle with the model that it serves loaded; safe to use from several threads."""

    def __init__(self, manifest: Manifest, model: bytes) -> None:
        self.manifest = manifest
        self._session = _session(model, len(manifest.feature_set.names))

    def predict(self, rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities ``(n, 3)`` in the order of the manifest's classes.

        ``rows`` is ``(n, features)`` in the manifest's order; a NaN in it is refused with
        ``ValueError``, because a row without its whole warm-up has no prediction.
        """
        inputs = np.ascontiguousarray(rows, dtype=np.float32)
        names = self.manifest.feature_set.names
        if inputs.ndim != 2 or inputs.shape[1] != len(names):
            raise ValueError(f"rows of {len(names)} features are wanted, not an array of {inputs.shape}")
        if not np.isfinite(inputs).all():
            missing = names[int(np.argmin(np.isfinite(inputs).all(axis=0)))]
            raise ValueError(f"feature {missing} is missing: too few candles, or a gap among them")
        return self.manifest.calibration.apply(self._session.run(["probabilities"], {"features": inputs})[0])

    def signals(self, probabilities: npt.NDArray[np.floating]) -> list[str]:
        """Return ``sell``, ``hold`` or ``buy`` for each row of probabilities."""
        return [CLASSES[index] for index in signals(probabilities, self.manifest.thresholds)]

    def check_golden_rows(self) -> None:
        """Score the manifest's known rows; raise :class:`BundleCorruptError` where one differs."""
        rows = golden_features(self.manifest)
        try:
            expected = np.array([row.probabilities for row in self.manifest.golden_rows])
            difference = float(np.abs(self.predict(rows) - expected).max())
        except (ValueError, TypeError) as error:  # TypeError: what the model gives is no array of numbers
            raise BundleCorruptError(
                f"{self.manifest.version}: golden rows cannot be scored: {error}"
            ) from error
        if not difference <= GOLDEN_TOLERANCE:
            raise BundleCorruptError(
                f"{self.manifest.version}: golden rows differ by {difference:.2g}, "
                f"more than {GOLDEN_TOLERANCE:g}"
            )


def write_bundle(manifest: Manifest, models: Mapping[str, bytes], key: SecretStr) -> tuple[Manifest, bytes]:
    """Return the finished manifest (members, content hash, version) and the bundle's signed bytes.

    ``models`` maps each member's algorithm to its ONNX bytes. The same content gives the same
    ``manifest.sha256``, and with the same ``created_at`` the same bytes.
    """
    members = tuple(Member(algorithm=name, sha256=_sha256(models[name])) for name in sorted(models))
    finished = manifest.model_copy(update={"members": members})
    sha256 = content_sha256(finished)
    version = version_of(manifest.symbol, manifest.created_at.astimezone(UTC), sha256)
    finished = finished.model_copy(update={"sha256": sha256, "version": version})
    files = {_MANIFEST: _canonical(finished.model_dump(mode="json"))}
    files |= {_member_name(member): models[member.algorithm] for member in members}
    payload = _zip(files)
    if _HEADER + len(payload) > MAX_BYTES:
        raise BundleError(
            f"{version} would take {len(payload)} bytes, more than {MAX_BYTES}; train smaller models"
        )
    return finished, MAGIC + _signature(payload, key) + payload


def open_bundle(data: bytes, key: SecretStr) -> Bundle:
    """Return the bundle in ``data`` once it was verified (:func:`verify_bundle`)."""
    return Bundle(*verify_bundle(data, key))


def verify_bundle(data: bytes, key: SecretStr) -> tuple[Manifest, bytes]:
    """Return the manifest and the model to serve once signature, hashes and schema hold; it is not loaded.

    Raises
    ------
    BundleCorruptError
        Not a bundle, too large, or damaged although signed.
    BundleTamperedError
        The signature does not hold.
    BundleIncompatibleError
        Made for another format or feature set.
    """
    if len(data) > MAX_BYTES:
        raise BundleCorruptError(f"{len(data)} bytes, more than the {MAX_BYTES} that a bundle may have")
    if len(data) <= _HEADER or not data.startswith(MAGIC):
        raise BundleCorruptError("not a model bundle: its first bytes are wrong or it is cut short")
    payload = data[_HEADER:]
    if not hmac.compare_digest(data[len(MAGIC) : _HEADER], _signature(payload, key)):
        raise BundleTamperedError("the signature does not hold: changed bytes, or signed with another key")
    return _unpack(payload)


def golden_features(manifest: Manifest) -> npt.NDArray[np.float32]:
    """Return the features of the known rows; raise :class:`BundleCorruptError` where they are no table."""
    try:
        return np.array([row.features for row in manifest.golden_rows], dtype=np.float32)
    except ValueError as error:
        raise BundleCorruptError(f"{manifest.version}: golden rows cannot be scored: {error}") from error


def content_sha256(manifest: Manifest) -> str:
    """Return the hash of what the manifest tells and the models are, times and name apart."""
    content = manifest.model_dump(mode="json", exclude={"version", "sha256", "created_at"})
    return _sha256(_canonical(content))


def _unpack(payload: bytes) -> tuple[Manifest, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            _require_bounded(archive)
            raw = orjson.loads(archive.read(_MANIFEST))
            _require_compatible(raw)
            manifest = Manifest.model_validate(raw)
            models = {member: archive.read(_member_name(member)) for member in manifest.members}
    except BundleError:
        raise
    except Exception as error:  # zip, zlib, JSON, schema: whatever it is, it is not a bundle
        raise BundleCorruptError(f"the bundle cannot be read: {error}") from error
    hashes_hold = all(member.sha256 == _sha256(model) for member, model in models.items())
    served = [model for member, model in models.items() if member.algorithm == manifest.algorithm]
    if len(served) != 1 or not hashes_hold or manifest.sha256 != content_sha256(manifest):
        raise BundleCorruptError(f"{manifest.version}: the content is not what the manifest says")
    return manifest, served[0]


def _require_bounded(archive: zipfile.ZipFile) -> None:
    """Refuse what would be larger unpacked than packed: members are stored as they are."""
    size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise BundleCorruptError(f"{size} bytes unpacked, more than the {MAX_BYTES} that a bundle may have")


def _require_compatible(raw: dict[str, Any]) -> None:
    if raw.get("format") != FORMAT:
        raise BundleIncompatibleError(f"bundle format {raw.get('format')}, this product reads {FORMAT}")
    found = raw["feature_set"]
    if found["version"] != FEATURE_SET.version or tuple(found["names"]) != FEATURE_SET.names:
        raise BundleIncompatibleError(
            f"{raw['version']} reads feature set {found['version']}, this product computes "
            f"{FEATURE_SET.version}; train again"
        )
    if tuple(raw["classes"]) != CLASSES or found["dtype"] != "float32":
        raise BundleIncompatibleError(f"{raw['version']}: classes {raw['classes']}, dtype {found['dtype']}")


def _session(model: bytes, width: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        shape = {i.name: i.shape for i in session.get_inputs()}["features"]
        outputs = {output.name for output in session.get_outputs()}
    except Exception as error:  # onnxruntime raises classes of its own extension for each status
        raise BundleCorruptError(f"the model cannot be loaded: {error}") from error
    if not shape or shape[-1] != width or "probabilities" not in outputs:
        raise BundleCorruptError(f"the model reads {shape} and gives {sorted(outputs)}")
    return session


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), files[name])
    return buffer.getvalue()


def _member_name(member: Member) -> str:
    return f"models/{member.algorithm}.onnx"


def _signature(payload: bytes, key: SecretStr) -> bytes:
    digest = hashlib.sha256(payload).digest()
    return hmac.new(key.get_secret_value().encode(), digest, hashlib.sha256).digest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
