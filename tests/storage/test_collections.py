"""The database's own guard: validators and indexes."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import WriteError

from cryptobot.storage.collections import HISTORICAL_DATA, ensure_collections


def test_a_document_that_is_no_candle_is_rejected(database: Database[dict[str, Any]]) -> None:
    with pytest.raises(WriteError, match="failed validation"):
        database[HISTORICAL_DATA].insert_one({"_id": "x", "symbol": "BTCUSDT"})


def test_bringing_collections_up_to_date_twice_changes_nothing(database: Database[dict[str, Any]]) -> None:
    before = database[HISTORICAL_DATA].index_information()
    ensure_collections(database)
    assert database[HISTORICAL_DATA].index_information() == before
    assert "symbol_interval_open_time" in before
