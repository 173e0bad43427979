"""What is removed by retention, what is always kept, and that a dry run removes nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.collections import (
    ALERTS,
    CORRECTIONS,
    GAPS,
    JOB_REPORTS,
    QUALITY_RESULTS,
    QUARANTINE,
    RECONCILIATIONS,
    SERVICE_HEALTH,
    STREAMING_DATA,
)
from cryptobot.storage.log_files import prune_logs
from cryptobot.storage.retention import prune, rules

NOW = datetime(2026, 1, 10, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=400), NOW - timedelta(days=1)
Db = Database[dict[str, Any]]


def insert(database: Db, collection: str, *documents: dict[str, Any]) -> None:
    """Store without the collection's validator: what is asked here is only what goes and what stays."""
    database[collection].insert_many(documents, bypass_document_validation=True)


def pruned(database: Db, settings: Settings, name: str, **how: Any) -> int:
    (rule,) = [rule for rule in rules(settings) if rule.name == name]
    return prune(database, rule, NOW, **how)


def ids(database: Db, collection: str) -> list[str]:
    return sorted(database[collection].distinct("_id"))


def test_live_candles_go_by_when_they_were_received_and_nothing_else_of_the_feed(
    database: Db, app_settings: Settings
) -> None:
    insert(
        database,
        STREAMING_DATA,
        {"_id": "kline|old", "kind": "kline", "received_at": OLD},
        {"_id": "kline|replayed", "kind": "kline", "open_time": OLD, "received_at": NEW},
        {"_id": "ticker|old", "kind": "ticker", "received_at": OLD},
    )
    assert pruned(database, app_settings, "live candles") == 1
    assert ids(database, STREAMING_DATA) == ["kline|replayed", "ticker|old"]


@pytest.mark.parametrize(
    ("name", "collection", "by"),
    [("job reports", JOB_REPORTS, "job"), ("quality results", QUALITY_RESULTS, "checkpoint")],
)
def test_the_newest_of_each_kind_is_kept_whatever_its_age(
    database: Db, app_settings: Settings, name: str, collection: str, by: str
) -> None:
    insert(
        database,
        collection,
        {"_id": "a-older", by: "a", "finished_at": OLD - timedelta(days=1)},
        {"_id": "a-old", by: "a", "finished_at": OLD},
        {"_id": "b-old", by: "b", "finished_at": OLD},
        {"_id": "b-new", by: "b", "finished_at": NEW},
    )
    assert pruned(database, app_settings, name) == 2
    assert ids(database, collection) == ["a-old", "b-new"]


def test_open_gaps_stay_and_repaired_ones_go_a_year_after_they_were_seen_repaired(
    database: Db, app_settings: Settings
) -> None:
    insert(
        database,
        GAPS,
        {"_id": "open", "state": "open", "from": OLD},
        {"_id": "absent", "state": "absent at the source", "from": OLD},
        {"_id": "repaired", "state": "repaired", "from": OLD, "repaired_at": OLD},
        {"_id": "just repaired", "state": "repaired", "from": OLD},
    )
    assert pruned(database, app_settings, "repaired gaps") == 1
    assert ids(database, GAPS) == ["absent", "just repaired", "open"]
    assert database[GAPS].find_one({"_id": "just repaired"})["repaired_at"] == NOW


def test_alerts_go_once_acknowledged_or_resolved_long_ago(database: Db, app_settings: Settings) -> None:
    insert(
        database,
        ALERTS,
        {"_id": "waiting", "created_at": OLD, "acknowledged_at": None},
        {"_id": "acknowledged", "created_at": OLD, "acknowledged_at": OLD},
        {"_id": "resolved", "created_at": OLD, "acknowledged_at": None, "resolved_at": OLD},
        {"_id": "lately", "created_at": OLD, "acknowledged_at": NEW},
    )
    assert pruned(database, app_settings, "alerts") == 2
    assert ids(database, ALERTS) == ["lately", "waiting"]


def test_alerts_of_candles_go_by_age_alone(database: Db, app_settings: Settings) -> None:
    candle = {"open_time": OLD}
    insert(
        database,
        ALERTS,
        {"_id": "old", "created_at": OLD, "details": candle},
        {"_id": "new", "created_at": NEW, "details": candle},
        {"_id": "waiting", "created_at": OLD, "details": {"asset": "features"}, "resolved_at": None},
    )
    assert pruned(database, app_settings, "alerts of candles") == 1
    assert ids(database, ALERTS) == ["new", "waiting"]


@pytest.mark.parametrize(
    ("name", "collection", "field"),
    [
        ("corrections", CORRECTIONS, "found_at"),
        ("reconciliations", RECONCILIATIONS, "checked_at"),
        ("health of instances", SERVICE_HEALTH, "seen_at"),
    ],
)
def test_old_ones_go_and_new_ones_stay(
    database: Db, app_settings: Settings, name: str, collection: str, field: str
) -> None:
    insert(database, collection, {"_id": "old", field: OLD}, {"_id": "new", field: NEW})
    assert pruned(database, app_settings, name) == 1
    assert ids(database, collection) == ["new"]


def test_open_quarantine_entries_stay(database: Db, app_settings: Settings) -> None:
    insert(
        database,
        QUARANTINE,
        {"_id": "open", "state": "open", "found_at": OLD},
        {"_id": "resolved", "state": "resolved", "resolved_at": OLD},
    )
    pruned(database, app_settings, "resolved quarantine entries")
    assert ids(database, QUARANTINE) == ["open"]


def test_many_go_in_batches_and_a_dry_run_only_counts(database: Db, app_settings: Settings) -> None:
    insert(database, CORRECTIONS, *({"_id": str(number), "found_at": OLD} for number in range(25)))
    assert pruned(database, app_settings, "corrections", dry_run=True) == 25
    assert database[CORRECTIONS].count_documents({}) == 25
    assert pruned(database, app_settings, "corrections", batch=10) == 25
    assert database[CORRECTIONS].count_documents({}) == 0


def test_history_is_kept_for_ever_unless_configured(app_settings: Settings, database: Db) -> None:
    database.drop_collection("historical_data")
    old = {"_id": "BTCUSDT|1m|0", "symbol": "BTCUSDT", "interval": "1m", "open_time": OLD}
    insert(database, "historical_data", old, old | {"_id": "BTCUSDT|1h|0", "interval": "1h"})
    assert pruned(database, app_settings, "history of 1m") == 0
    short = app_settings.model_copy(update={"retention_history_1m": 30})
    assert pruned(database, short, "history of 1m") == 1
    assert ids(database, "historical_data") == ["BTCUSDT|1h|0"]


def test_a_retention_shorter_than_what_is_read_is_refused() -> None:
    with pytest.raises(ValidationError, match="what is read would be removed"):
        Settings(_env_file=None, retention_history_1m=7, history_days_1m=14)


def test_old_log_files_go_with_their_empty_folders(tmp_path: Path) -> None:
    for run, age in (("old", OLD), ("new", NEW)):
        log = tmp_path / "dag_id=signals" / f"run_id={run}" / "attempt=1.log"
        log.parent.mkdir(parents=True)
        log.write_text("done")
        os.utime(log, (age.timestamp(), age.timestamp()))
    assert prune_logs(tmp_path, 30, NOW, dry_run=True) == 1
    assert prune_logs(tmp_path, 30, NOW) == 1
    assert [path.name for path in (tmp_path / "dag_id=signals").iterdir()] == ["run_id=new"]
