from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.bundle import write_bundle
from cryptobot.serving.store import ChampionStore
from cryptobot.settings import Settings
from cryptobot.storage.health import live_instances
from tests.servers import wait_until
from tests.serving.bundles import KEY, forest_onnx, golden_rows, manifest
from tests.serving.models import add_model, promote_model

Db = Database[dict[str, Any]]


@pytest.fixture
def loads() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def store(database: Db, app_settings: Settings, loads: list[tuple[str, str, str]]) -> Iterator[ChampionStore]:
    settings = app_settings.model_copy(update={"bundle_key": KEY})
    made = ChampionStore(database, settings, "api", lambda *load: loads.append(load))
    yield made
    made.close()


def serving(store: ChampionStore) -> str | None:
    champion = store.champion("BTCUSDT")
    return champion.version if champion else None


def test_follows_the_pointer_and_reports_what_it_serves(store: ChampionStore, database: Db) -> None:
    store.start()
    for seed in (0, 1):
        version = promote_model(database, seed)
        wait_until(lambda v=version: serving(store) == v, limit=5, what="swap")  # type: ignore[misc]
        wait_until(
            lambda v=version: (
                [r["detail"]["models"] for r in live_instances(database, "api")]  # type: ignore[misc]
                == [{"BTCUSDT": v}]
            ),
            limit=2,
            what="report",
        )
    store.close()
    assert live_instances(database, "api") == []


def test_what_is_promoted_before_the_start_is_served(store: ChampionStore, database: Db) -> None:
    versions = {symbol: promote_model(database, 0, symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    store.start()
    wait_until(lambda: store.versions() == versions, limit=5, what="both champions")


def test_a_tampered_bundle_is_quarantined_and_the_old_one_serves_on(
    store: ChampionStore, database: Db, loads: list[tuple[str, str, str]]
) -> None:
    good = promote_model(database, 0)
    store.synchronize()
    bad = promote_model(database, 1, tamper=True)
    store.synchronize()
    assert serving(store) == good
    entry = registry.model(database, bad)
    assert entry["state"] == "quarantined"
    assert "signature" in entry["quarantine_reason"]
    assert loads == [("BTCUSDT", good, "loaded"), ("BTCUSDT", bad, "refused")]
    store.synchronize()
    assert len(loads) == 2, "a refused bundle is not read again"


def test_other_faults_are_quarantined_too(store: ChampionStore, database: Db) -> None:
    good = promote_model(database, 0)
    store.synchronize()

    other_rows = [row.model_copy(update={"probabilities": (0.9, 0.05, 0.05)}) for row in golden_rows(1)]
    wrong_golden = registry.add_challenger(database, *written(golden_rows=tuple(other_rows)))
    cut = add_model(database, 3)
    database["bundles.chunks"].delete_one({"files_id": cut, "n": 0})
    huge = add_model(database, 4)
    database["bundles.files"].update_one({"_id": huge}, {"$set": {"length": 2**40}})
    missing = add_model(database, 2)
    database["bundles.files"].delete_one({"_id": missing})
    named = registry.add_challenger(database, {"version": "BTCUSDT-other", "symbol": "BTCUSDT"}, bundle())
    short = registry.add_challenger(database, {"version": "BTCUSDT-short", "symbol": "BTCUSDT"}, b"CRYPTOB1")
    for version, word in (
        (wrong_golden, "golden"),
        (missing, "GridFS"),
        (cut, "whole"),
        (huge, "bytes"),
        (named, "holds"),
        (short, "short"),
    ):
        registry.promote(database, "BTCUSDT", version, "a test")
        store.synchronize()
        assert serving(store) == good
        assert word in registry.model(database, version)["quarantine_reason"]


def test_a_worker_that_starts_beside_a_bad_champion_serves_its_predecessor(
    store: ChampionStore, database: Db
) -> None:
    good = promote_model(database, 0)
    promote_model(database, 1, tamper=True)
    store.synchronize()
    assert serving(store) == good


def written(**changes: Any) -> tuple[dict[str, Any], bytes]:

    made, data = write_bundle(manifest(**changes), {"random_forest": forest_onnx(1)}, KEY)
    return made.document(), data


def bundle() -> bytes:
    return written(golden_rows=golden_rows(1), interval="1h")[1]
