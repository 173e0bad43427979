from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.pointer import move

Db = Database[dict[str, Any]]


def manifest(version: str, symbol: str = "BTCUSDT", **fields: Any) -> dict[str, Any]:
    return {"version": version, "symbol": symbol, "fit": False, **fields}


def add(database: Db, *versions: str, **fields: Any) -> None:
    for version in versions:
        registry.add_challenger(database, manifest(version, **fields), version.encode())


def state(database: Db, version: str) -> str:
    return str(registry.model(database, version)["state"])


class TestAddChallenger:
    def test_bundle_and_manifest_can_be_read_back(self, database: Db) -> None:
        assert registry.add_challenger(database, manifest("v1"), b"bytes" * 200_000) == "v1"
        assert registry.load_bundle(database, "v1") == b"bytes" * 200_000
        assert state(database, "v1") == "challenger"

    def test_again_changes_nothing(self, database: Db) -> None:
        add(database, "v1")
        registry.promote(database, "BTCUSDT", "v1", "first")
        add(database, "v1")
        assert state(database, "v1") == "champion"
        assert database["bundles.files"].count_documents({}) == 1

    def test_goes_on_after_an_interruption_between_bundle_and_manifest(self, database: Db) -> None:
        add(database, "v1")
        database.models.delete_one({"_id": "v1"})
        database["bundles.files"].delete_one({"_id": "v1"})
        add(database, "v1")
        assert registry.load_bundle(database, "v1") == b"v1"

    def test_a_bundle_that_is_not_there_is_named(self, database: Db) -> None:
        with pytest.raises(registry.UnknownModelError, match="v9"):
            registry.load_bundle(database, "v9")


class TestPromote:
    def test_the_first_and_the_second(self, database: Db) -> None:
        add(database, "v1", "v2", fit=True)
        assert registry.promote(database, "BTCUSDT", "v1", "first")["previous"] is None
        registry.promote(database, "BTCUSDT", "v2", "better")
        pointer = registry.champion(database, "BTCUSDT")
        assert pointer is not None
        assert (pointer["version"], pointer["previous"], pointer["reason"]) == ("v2", "v1", "better")
        assert pointer["fit"] is True
        assert (state(database, "v1"), state(database, "v2")) == ("superseded", "champion")

    def test_the_champion_again_keeps_its_predecessor(self, database: Db) -> None:
        add(database, "v1", "v2")
        registry.promote(database, "BTCUSDT", "v1", "first")
        registry.promote(database, "BTCUSDT", "v2", "better")
        assert registry.promote(database, "BTCUSDT", "v2", "again")["previous"] == "v1"

    def test_another_symbols_model_is_refused(self, database: Db) -> None:
        add(database, "v1")
        with pytest.raises(registry.RegistryError, match="BTCUSDT"):
            registry.promote(database, "ETHUSDT", "v1", "wrong")

    def test_a_quarantined_model_is_refused(self, database: Db) -> None:
        add(database, "v1")
        assert registry.quarantine(database, "v1", "hash differs")
        assert not registry.quarantine(database, "v1", "twice")
        with pytest.raises(registry.RegistryError, match="hash differs"):
            registry.promote(database, "BTCUSDT", "v1", "no")

    def test_newest_challenger_passes_over_promoted_and_quarantined(self, database: Db) -> None:
        add(database, "v1", "v2", "v3")
        registry.quarantine(database, "v3", "bad")
        found = registry.newest_challenger(database, "BTCUSDT")
        assert found is not None
        assert found["_id"] == "v2"
        registry.promote(database, "BTCUSDT", "v2", "better")
        registry.promote(database, "BTCUSDT", "v1", "better")
        assert registry.newest_challenger(database, "BTCUSDT") is None

    def test_newest_challenger_passes_over_what_a_person_refused(self, database: Db) -> None:
        add(database, "v1", "v2", "v3")
        registry.record_verdict(database, "v2", promoted=False, reason="not better")
        registry.record_verdict(database, "v3", promoted=False, reason="no", by="ada")
        found = registry.newest_challenger(database, "BTCUSDT")
        assert found is not None
        assert found["_id"] == "v2"

    def test_a_quarantined_champion_is_no_predecessor(self, database: Db) -> None:
        add(database, "v1", "v2", "v3")
        registry.promote(database, "BTCUSDT", "v1", "first")
        registry.promote(database, "BTCUSDT", "v2", "better")
        registry.quarantine(database, "v2", "hash differs")
        assert registry.promote(database, "BTCUSDT", "v3", "sound")["previous"] == "v1"

    def test_of_many_at_once_each_serves_or_is_told_and_one_is_left_champion(self, database: Db) -> None:
        add(database, "v0", *(versions := [f"v{number}" for number in range(1, 9)]))
        registry.promote(database, "BTCUSDT", "v0", "first")
        together = threading.Barrier(len(versions))

        def promote(version: str) -> bool:
            together.wait()
            try:
                registry.promote(database, "BTCUSDT", version, "at once")
            except registry.RegistryError:
                return False
            return True

        with ThreadPoolExecutor(len(versions)) as pool:
            served = dict(zip(versions, pool.map(promote, versions), strict=True))
        assert any(served.values())
        (champion,) = database.models.find({"state": "champion"})
        pointer = registry.champion(database, "BTCUSDT")
        assert pointer is not None
        assert pointer["version"] == champion["_id"]
        for version, promoted in served.items():
            assert state(database, version) in ({"champion", "superseded"} if promoted else {"challenger"})


class TestRollBack:
    def test_returns_to_the_predecessor_once(self, database: Db) -> None:
        add(database, "v1", "v2")
        registry.promote(database, "BTCUSDT", "v1", "first")
        registry.promote(database, "BTCUSDT", "v2", "better")
        assert registry.roll_back(database, "BTCUSDT", "v2", "not deployed")["version"] == "v1"
        assert (state(database, "v1"), state(database, "v2")) == ("champion", "superseded")
        with pytest.raises(registry.NoPredecessorError):
            registry.roll_back(database, "BTCUSDT", "v1", "again")

    def test_leaves_a_newer_champion_alone(self, database: Db) -> None:
        add(database, "v1", "v2", "v3")
        for version in ("v1", "v2", "v3"):
            registry.promote(database, "BTCUSDT", version, "next")
        with pytest.raises(registry.RegistryError, match="v3"):
            registry.roll_back(database, "BTCUSDT", "v2", "late")
        pointer = registry.champion(database, "BTCUSDT")
        assert pointer is not None
        assert pointer["version"] == "v3"

    def test_a_quarantined_predecessor_is_passed_over_for_one_that_served_earlier(self, database: Db) -> None:
        add(database, "v1", "v2", "v3")
        for version in ("v1", "v2", "v3"):
            registry.promote(database, "BTCUSDT", version, "next")
        registry.quarantine(database, "v2", "hash differs")
        assert registry.roll_back(database, "BTCUSDT", "v3", "it earns nothing")["version"] == "v1"
        assert state(database, "v2") == "quarantined"

    def test_a_quarantined_version_alone_is_nothing_to_return_to(self, database: Db) -> None:
        add(database, "v1", "v2")
        registry.promote(database, "BTCUSDT", "v1", "first")
        registry.promote(database, "BTCUSDT", "v2", "better")
        registry.quarantine(database, "v1", "hash differs")
        with pytest.raises(registry.NoPredecessorError, match="no sound model"):
            registry.roll_back(database, "BTCUSDT", "v2", "it earns nothing")
        pointer = registry.champion(database, "BTCUSDT")
        assert pointer is not None
        assert pointer["version"] == "v2"

    def test_twice_goes_back_twice_and_never_to_what_was_rolled_back(self, database: Db) -> None:
        add(database, "v1", "v2", "v3", "v4")
        for version in ("v1", "v2", "v3"):
            registry.promote(database, "BTCUSDT", version, "next")
        assert registry.roll_back(database, "BTCUSDT", "v3", "bad")["previous"] == "v1"
        registry.promote(database, "BTCUSDT", "v4", "next")
        assert registry.roll_back(database, "BTCUSDT", "v4", "bad")["version"] == "v2"
        assert registry.roll_back(database, "BTCUSDT", "v2", "bad")["version"] == "v1"
        with pytest.raises(registry.NoPredecessorError):
            registry.roll_back(database, "BTCUSDT", "v1", "bad")

    def test_what_was_rolled_back_is_passed_over_too(self, database: Db) -> None:
        add(database, "v1", "v2", "v3", "v4")
        for version in ("v1", "v2", "v3"):
            registry.promote(database, "BTCUSDT", version, "next")
        registry.roll_back(database, "BTCUSDT", "v3", "bad")
        registry.promote(database, "BTCUSDT", "v4", "next")
        registry.quarantine(database, "v2", "hash differs")
        assert registry.roll_back(database, "BTCUSDT", "v4", "bad")["version"] == "v1"

    def test_the_reasons_are_kept_with_both_models(self, database: Db) -> None:
        add(database, "v1", "v2")
        registry.promote(database, "BTCUSDT", "v1", "first")
        registry.promote(database, "BTCUSDT", "v2", "better")
        registry.roll_back(database, "BTCUSDT", "v2", "it earns nothing")
        told = {
            version: [(one["event"], one["reason"]) for one in registry.model(database, version)["history"]]
            for version in ("v1", "v2")
        }
        assert told == {
            "v1": [("promoted", "first"), ("superseded", "better"), ("returned to", "it earns nothing")],
            "v2": [("promoted", "better"), ("rolled back", "it earns nothing")],
        }

    def test_a_model_that_lost_its_bundle_meanwhile_does_not_serve(self, database: Db) -> None:
        add(database, "v1", "v2")
        registry.promote(database, "BTCUSDT", "v1", "first")
        stale = registry.model(database, "v2")
        database.models.update_one({"_id": "v2"}, {"$set": {"bundle_removed_at": stale["created_at"]}})
        now = stale["created_at"]
        assert move(database, stale, now, expected="v1", previous="v1", reason="late") is None
        pointer = registry.champion(database, "BTCUSDT")
        assert pointer is not None
        assert pointer["version"] == "v1"
        assert state(database, "v1") == "champion"
