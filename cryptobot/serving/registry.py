"""The model registry: manifests in ``models``, bundles in GridFS, one ``champions`` pointer a symbol.

The pointer is the truth about what serves; the ``state`` of a manifest follows it in the same
transaction. A model is ``challenger`` until it is promoted (``champion``), then ``superseded``;
one that cannot be loaded is ``quarantined`` and is never promoted again.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from gridfs import GridFSBucket
from gridfs.errors import CorruptGridFile, NoFile
from pymongo import DESCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

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
    """Return the manifest of the symbol's newest model that was neither promoted nor quarantined."""
    return database[MODELS].find_one(
        {"symbol": symbol, "state": "challenger"}, sort=[("created_at", DESCENDING), ("_id", DESCENDING)]
    )


def promote(database: Database[Document], symbol: str, version: str, reason: str) -> Document:
    """Make ``version`` the symbol's champion and return the new pointer.

    The pointer changes in one step that keeps the version before as ``previous``. Promoting the
    champion again changes nothing. Raises :class:`RegistryError` for a quarantined model or one
    of another symbol.
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
    return _point(database, symbol, entry, expected=replaced, previous=replaced, reason=reason)


def roll_back(database: Database[Document], symbol: str, version: str, reason: str) -> Document:
    """Return the pointer from ``version`` to its predecessor; the new pointer is returned.

    Only ``version`` is rolled back: if another is champion by now, nothing is changed and
    :class:`RegistryError` is raised. The version left behind is not promoted again by itself.
    """
    pointer = champion(database, symbol)
    if pointer is None or pointer["version"] != version:
        serving = pointer["version"] if pointer else "none"
        raise RegistryError(f"{version} is not the champion of {symbol} (it is {serving}): not rolled back")
    if not pointer["previous"]:
        raise NoPredecessorError(f"{version} is the first champion of {symbol}: nothing to roll back to")
    predecessor = model(database, pointer["previous"])
    return _point(database, symbol, predecessor, expected=version, previous=None, reason=reason)


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


def record_verdict(database: Database[Document], version: str, promoted: bool, reason: str) -> None:
    """Keep with the manifest what was decided of the model when it challenged, and why."""
    verdict = {"promoted": promoted, "reason": reason, "at": datetime.now(UTC)}
    database[MODELS].update_one({"_id": version}, {"$set": {"verdict": verdict}})


def _point(
    database: Database[Document],
    symbol: str,
    entry: Document,
    *,
    expected: str | None,
    previous: str | None,
    reason: str,
) -> Document:
    """Replace the pointer if it still is at ``expected``, and the states with it."""
    pointer = {
        "_id": symbol,
        "version": entry["_id"],
        "promoted_at": datetime.now(UTC),
        "previous": previous,
        "reason": reason,
        "fit": bool(entry.get("fit", False)),
    }

    def replace(session: ClientSession) -> None:
        if expected is None:
            database[CHAMPIONS].insert_one(pointer, session=session)
        else:
            replaced = database[CHAMPIONS].replace_one(
                {"_id": symbol, "version": expected}, pointer, session=session
            )
            if not replaced.matched_count:
                raise DuplicateKeyError(symbol)
            database[MODELS].update_one(
                {"_id": expected, "state": "champion"}, {"$set": {"state": "superseded"}}, session=session
            )
        database[MODELS].update_one({"_id": entry["_id"]}, {"$set": {"state": "champion"}}, session=session)

    try:
        with database.client.start_session() as session:
            session.with_transaction(replace, write_concern=WriteConcern("majority"))
    except DuplicateKeyError as error:
        raise RegistryError(
            f"the champion of {symbol} was changed meanwhile; look at it and retry"
        ) from error
    return pointer
