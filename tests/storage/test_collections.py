"""The database's own guard: validators and indexes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import WriteError

from cryptobot.storage.collections import HISTORICAL_DATA, VALIDATORS, ensure_collections
from tests.expectations.candles import documents


def test_a_document_that_is_no_candle_is_rejected(database: Database[dict[str, Any]]) -> None:
    with pytest.raises(WriteError, match="failed validation"):
        database[HISTORICAL_DATA].insert_one({"_id": "x", "symbol": "BTCUSDT"})


def test_bringing_collections_up_to_date_twice_changes_nothing(database: Database[dict[str, Any]]) -> None:
    before = database[HISTORICAL_DATA].index_information()
    ensure_collections(database)
    assert database[HISTORICAL_DATA].index_information() == before
    assert "symbol_interval_open_time" in before


@pytest.mark.parametrize(
    "change",
    [
        {"high": 1.0},
        {"low": 0.0},
        {"low": float("nan")},
        {"volume": 1.0},
        {"taker_buy_base": -1.0},
        {"trades": -1},
        {"trades": 5.0},
        {"close": "103"},
        {"open_time": 1_700_000_000_000},
        {"close_time": datetime(2020, 1, 1, tzinfo=UTC)},
        {"marks": ["strange"]},
        {"source": "elsewhere"},
    ],
    ids=str,
)
def test_a_candle_that_cannot_be_is_refused_by_the_server(
    database: Database[dict[str, Any]], change: dict[str, Any]
) -> None:
    candle = documents()[0]
    with pytest.raises(WriteError, match="failed validation"):
        database[HISTORICAL_DATA].insert_one(candle | change)
    database[HISTORICAL_DATA].insert_one(candle | {"marks": ["off_grid", "shortened"]})


def test_a_database_of_before_is_brought_up_to_date(database: Database[dict[str, Any]]) -> None:
    for name in VALIDATORS:
        database.command("collMod", name, validator={}, validationLevel="off")
        database[name].drop_indexes()
    ensure_collections(database)
    with pytest.raises(WriteError, match="failed validation"):
        database["gaps"].insert_one({"_id": "x", "state": "unheard of"})
    assert "symbol_interval_open_time" in database["quarantine"].index_information()
