"""Retention of model bundles: the newest of each symbol, and whatever serves or can be returned to."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from gridfs import GridFSBucket
from gridfs.errors import NoFile
from pymongo import DESCENDING
from pymongo.database import Database

from cryptobot.serving.registry import BUCKET
from cryptobot.storage.collections import CHAMPIONS, MODELS
from cryptobot.storage.database import Document

_UPLOADING = timedelta(days=1)
"""A bundle without a manifest that is younger may be of a training that is under way."""


def prune_bundles(database: Database[Document], keep: int, *, dry_run: bool = False) -> list[str]:
    """Remove the bundles of all but each symbol's newest ``keep`` versions; return which.

    A champion, the version before it, and a challenger that was not judged yet always keep theirs.
    The manifests stay, marked ``bundle_removed_at``: signals refer to them. Also removed are bundles
    that an interrupted training left without a manifest.
    """
    protected = {
        version
        for pointer in database[CHAMPIONS].find()
        for version in (pointer["version"], pointer["previous"])
        if version
    }
    removed = []
    for symbol in sorted(database[MODELS].distinct("symbol")):
        found = database[MODELS].find(
            {"symbol": symbol, "bundle_removed_at": None}, {"state": 1, "verdict": 1}
        )
        for entry in found.sort([("created_at", DESCENDING), ("_id", DESCENDING)]).skip(keep):
            waiting = entry["state"] == "challenger" and "verdict" not in entry
            if entry["_id"] in protected or waiting:
                continue
            if dry_run or _mark(database, entry["_id"]):
                removed.append(str(entry["_id"]))
    if not dry_run:
        for version in removed:
            _delete(database, version)
    return removed + _prune_orphans(database, dry_run=dry_run)


def _mark(database: Database[Document], version: str) -> bool:
    """Mark a manifest before its bundle goes, so that it is not promoted; False when it serves by now."""
    marked = database[MODELS].update_one(
        {"_id": version, "state": {"$ne": "champion"}}, {"$set": {"bundle_removed_at": datetime.now(UTC)}}
    )
    return marked.modified_count == 1


def _prune_orphans(database: Database[Document], *, dry_run: bool) -> list[str]:
    """Remove bundles whose manifest does not exist, or says that they are removed."""
    before = {"uploadDate": {"$lt": datetime.now(UTC) - _UPLOADING}}
    versions = [str(file["_id"]) for file in database[f"{BUCKET}.files"].find(before, {"_id": 1})]
    held = {str(entry["_id"]) for entry in database[MODELS].find({"bundle_removed_at": None}, {"_id": 1})}
    orphans = sorted(set(versions) - held)
    if not dry_run:
        for version in orphans:
            _delete(database, version)
    return orphans


def _delete(database: Database[Document], version: str) -> None:
    with contextlib.suppress(NoFile):
        GridFSBucket(database, BUCKET).delete(version)
