"""The model registry: manifests in ``models``, bundles in GridFS, one ``champions`` pointer a symbol.

The pointer is the truth about what serves; the ``state`` of a manifest follows it in the same
transaction. A model is ``challenger`` until it is promoted (``champion``), then ``superseded``;
one that cannot be loaded is ``quarantined`` and is never promoted, or returned to, again. What
happened to a model, and why, is in its ``history``.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from gridfs import GridFSBucket
from gridfs.errors import CorruptGridFile, NoFile
from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cryptobot.serving.pointer import last_sound, move
from cryptobot.storage.collections import CHAMPIONS, MODELS
from cryptobot.storage.database import Document

BUCKET = "bundles"


class RegistryError(RuntimeError):
    """The registry cannot do what was asked of it; the message says why and what to do."""


class UnknownModelError(RegistryError):
    """No such version, or its bundle is absent."""


class OversizedBundleError(RegistryError):
    """A bundle that is larger than its reader accepts."""


class NoPredecessorError(RegistryError):
    """A champion without a predecessor cannot be rolled back."""


def add_challenger(database: Database[Document], manifest: Document, bundle: bytes) -> str:
    """Store a trained bundle and its manifest as a challenger; return its version.

    ``manifest`` holds at least ``version`` and ``symbol``. The bundle is written first, so a
    manifest that can be read always has one. Adding a version that is there changes nothing.
    """
    version = str(manifest["version"])
    if database[MODELS].find_one({"_id": version}, {"_id": 1}):
        return version
    bucket = GridFSBucket(database, BUCKET)
    with contextlib.suppress(NoFile):  # what an interrupted attempt may have left
        bucket.delete(version)
    bucket.upload_from_stream_with_id(version, f"{version}.bundle", bundle)
    entry = {
        **manifest,
        "_id": version,
        "bundle_file": version,
        "state": "challenger",
        "created_at": datetime.now(UTC),
    }
    with contextlib.suppress(DuplicateKeyError):
        database[MODELS].insert_one(entry)
    return version


def load_bundle(database: Database[Document], version: str, limit_bytes: int | None = None) -> bytes:
    """Return the bundle's bytes.

    Raises
    ------
    UnknownModelError
        There is no bundle of that version, or parts of it are missing.
    OversizedBundleError
        It has more than ``limit_bytes``; none of them was read.
    """
    try:
        with GridFSBucket(database, BUCKET).open_download_stream(version) as stream:
            if limit_bytes is not None and stream.length > limit_bytes:
                raise OversizedBundleError(f"{version} has {stream.length} bytes, more than {limit_bytes}")
            return bytes(stream.read())
    except (NoFile, CorruptGridFile) as error:
        raise UnknownModelError(f"no whole bundle of {version} in GridFS; train the model again") from error


def model(database: Database[Document], version: str) -> Document:
    """Return the manifest of ``version`` with its state."""
    found = database[MODELS].find_one({"_id": version})
    if found is None:
        raise UnknownModelError(f"no model {version} in the registry; GET /v1/models lists those there are")
    return found


def champion(database: Database[Document], symbol: str) -> Document | None:
    """Return the pointer of ``symbol``: version, promoted_at, previous, reason, fit."""
    return database[CHAMPIONS].find_one({"_id": symbol})


def newest_challenger(database: Database[Document], symbol: str) -> Document | None:
    """Return the manifest of the symbol's newest model that was neither promoted nor quarantined.

    One that a person has refused is passed over: it is promoted by hand, or not at all.
    """
    return database[MODELS].find_one(
        {"symbol": symbol, "state": "challenger", "bundle_removed_at": None, "verdict.by": None},
        sort=[("created_at", DESCENDING), ("_id", DESCENDING)],
    )


def promote(database: Database[Document], symbol: str, version: str, reason: str) -> Document:
    """Make ``version`` the symbol's champion and return the new pointer.

    The pointer changes in one step that keeps as ``previous`` the last sound version before it.
    Promoting the champion again changes nothing. Raises :class:`RegistryError` for a quarantined
    model, one whose bundle was removed, or one of another symbol.
    """
    entry = model(database, version)
    if entry["symbol"] != symbol:
        raise RegistryError(f"{version} is a model of {entry['symbol']}, not of {symbol}")
    if entry["state"] == "quarantined":
        raise RegistryError(f"{version} is quarantined ({entry['quarantine_reason']}); promote another")
    if entry.get("bundle_removed_at"):
        raise RegistryError(f"the bundle of {version} was removed by retention; promote a newer version")
    pointer = champion(database, symbol)
    if pointer and pointer["version"] == version:
        return pointer
    replaced = pointer["version"] if pointer else None
    now = datetime.now(UTC)
    previous = last_sound(database, symbol, replaced, before=now, other_than=version)
    return _moved(move(database, entry, now, expected=replaced, previous=previous, reason=reason), entry)


def roll_back(database: Database[Document], symbol: str, version: str, reason: str) -> Document:
    """Return the pointer from ``version`` to the one that served before; the new pointer is returned.

    Only ``version`` is rolled back: if another is champion by now, nothing is changed and
    :class:`RegistryError` is raised. The version left behind is not promoted again by itself. A
    version that is quarantined, was rolled back itself, or has no bundle any more is passed over for
    one that served earlier; without any, :class:`NoPredecessorError` is raised.
    """
    pointer = champion(database, symbol)
    if pointer is None or pointer["version"] != version:
        serving = pointer["version"] if pointer else "none"
        raise RegistryError(f"{version} is not the champion of {symbol} (it is {serving}): not rolled back")
    now = datetime.now(UTC)
    since = model(database, version).get("promoted_at", now)
    found = last_sound(database, symbol, pointer["previous"], before=since, other_than=version)
    if found is None:
        raise NoPredecessorError(
            f"no sound model of {symbol} served before {version}: nothing to roll back to; "
            "promote another version, or train a new one"
        )
    target = model(database, found)
    until = target.get("promoted_at", datetime.min.replace(tzinfo=UTC))
    previous = last_sound(database, symbol, None, before=until, other_than=version)
    moved = move(database, target, now, expected=version, previous=previous, reason=reason, back=True)
    return _moved(moved, target)


def quarantine(database: Database[Document], version: str, reason: str) -> bool:
    """Mark ``version`` as never to be loaded; return whether this call was the one that did."""
    marked = database[MODELS].update_one(
        {"_id": version, "state": {"$ne": "quarantined"}},
        {
            "$set": {
                "state": "quarantined",
                "quarantine_reason": reason,
                "quarantined_at": datetime.now(UTC),
            }
        },
    )
    return marked.modified_count == 1


def record_verdict(
    database: Database[Document], version: str, promoted: bool, reason: str, by: str | None = None
) -> None:
    """Keep with the manifest what was decided of the model when it challenged, and why.

    ``by`` is the person who decided, where one did.
    """
    verdict = {"promoted": promoted, "reason": reason, "by": by, "at": datetime.now(UTC)}
    database[MODELS].update_one({"_id": version}, {"$set": {"verdict": verdict}})


def record_comparison(database: Database[Document], version: str, outcome: Document) -> None:
    """Keep with the manifest how the model did beside the champion of the time."""
    database[MODELS].update_one({"_id": version}, {"$set": {"comparison": outcome}})


def record_deployment(database: Database[Document], version: str) -> None:
    """Keep with the manifest when every worker was first seen to serve it, since it was promoted."""
    unseen = {"_id": version, "deployed_at": None}
    database[MODELS].update_one(unseen, {"$set": {"deployed_at": datetime.now(UTC)}})


def _moved(pointer: Document | None, entry: Document) -> Document:
    if pointer is None:
        raise RegistryError(
            f"the champion of {entry['symbol']} or {entry['_id']} was changed meanwhile; look at it and retry"
        )
    return pointer
