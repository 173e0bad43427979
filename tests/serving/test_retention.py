"""Which bundles are removed, and which never are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.retention import prune_bundles

Db = Database[dict[str, Any]]


@pytest.fixture
def versions(database: Db) -> list[str]:
    """Six models of a symbol, v1 the oldest: v1 and v2 served, v6 waits for its verdict."""
    names = [f"v{number}" for number in range(1, 7)]
    for name in names:
        registry.add_challenger(database, {"version": name, "symbol": "BTCUSDT", "fit": True}, name.encode())
    registry.promote(database, "BTCUSDT", "v1", "first")
    registry.promote(database, "BTCUSDT", "v2", "better")
    for name in names[2:5]:
        registry.record_verdict(database, name, promoted=False, reason="not better")
    return names


def held(database: Db) -> list[str]:
    return sorted(database["bundles.files"].distinct("_id"))


def test_a_champion_and_the_one_before_it_are_kept_however_old(database: Db, versions: list[str]) -> None:
    assert sorted(prune_bundles(database, keep=2)) == ["v3", "v4"]
    assert held(database) == ["v1", "v2", "v5", "v6"]
    assert registry.roll_back(database, "BTCUSDT", "v2", "a look back")["version"] == "v1"


def test_a_manifest_outlives_its_bundle_and_is_not_promoted(database: Db, versions: list[str]) -> None:
    prune_bundles(database, keep=2)
    assert registry.model(database, "v3")["bundle_removed_at"] is not None
    with pytest.raises(registry.RegistryError, match="removed by retention"):
        registry.promote(database, "BTCUSDT", "v3", "back")


def test_a_challenger_that_was_not_judged_yet_is_kept(database: Db, versions: list[str]) -> None:
    database.models.update_one({"_id": "v3"}, {"$unset": {"verdict": 1}})
    assert prune_bundles(database, keep=2) == ["v4"]


def test_again_removes_nothing_more_and_a_dry_run_nothing_at_all(database: Db, versions: list[str]) -> None:
    assert len(prune_bundles(database, keep=2, dry_run=True)) == 2
    assert held(database) == versions
    prune_bundles(database, keep=2)
    assert prune_bundles(database, keep=2) == []


def test_what_an_interrupted_training_left_goes_after_a_day(database: Db, versions: list[str]) -> None:
    database.models.delete_many({"_id": {"$in": ["v4", "v5"]}})
    before = datetime.now(UTC) - timedelta(days=2)
    database["bundles.files"].update_one({"_id": "v4"}, {"$set": {"uploadDate": before}})
    assert prune_bundles(database, keep=10) == ["v4"]
    assert "v5" in held(database)
