"""Repository of ``quality_results``: what each run of a checkpoint found."""

from __future__ import annotations

from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database

from cryptobot.storage.collections import QUALITY_RESULTS
from cryptobot.storage.database import Document


def save_result(database: Database[Document], document: dict[str, Any]) -> None:
    """Store the outcome of a run under its ``_id``."""
    database[QUALITY_RESULTS].replace_one({"_id": document["_id"]}, document, upsert=True)


def find_result(database: Database[Document], result_id: str) -> Document | None:
    """Return the outcome that is stored under ``result_id``; None where the run did not finish."""
    return database[QUALITY_RESULTS].find_one({"_id": result_id})


def latest_result(database: Database[Document], checkpoint: str) -> Document | None:
    """Return the outcome of the checkpoint's newest run; None before its first."""
    return database[QUALITY_RESULTS].find_one({"checkpoint": checkpoint}, sort=[("finished_at", DESCENDING)])
