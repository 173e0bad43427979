from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from cryptobot.decisions.operational import model_refused
from cryptobot.serving import registry
from cryptobot.serving.bundle import Bundle
from cryptobot.serving.loading import BundleLoader
from cryptobot.serving.store import ChampionStore
from cryptobot.serving.trial import Trial, TrialUnfinishedError
from cryptobot.settings import Settings
from cryptobot.storage.health import live_instances
from tests.servers import wait_until
from tests.serving.bad_bundles import BAD
from tests.serving.bundles import KEY
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]


@pytest.fixture
def loads() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def store(database: Db, app_settings: Settings, loads: list[tuple[str, str, str]]) -> Iterator[ChampionStore]:
    made = store_of(database, app_settings, lambda *load: loads.append(load))
    yield made
    made.close()


@pytest.fixture
def other(database: Db, app_settings: Settings) -> Iterator[ChampionStore]:
    """The store of another worker."""
    made = store_of(database, app_settings)
    yield made
    made.close()


def store_of(
    database: Db, settings: Settings, on_load: Callable[[str, str, str], None] | None = None
) -> ChampionStore:
    limited = settings.model_copy(update={"bundle_key": KEY, "bundle_load_seconds": 1})
    return ChampionStore(database, limited, "api", on_load, model_refused)


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


@pytest.mark.parametrize("way", BAD)
def test_a_bad_bundle_is_quarantined_with_one_alert_and_the_old_one_serves_on(
    way: str, store: ChampionStore, database: Db, loads: list[tuple[str, str, str]]
) -> None:
    add, words = BAD[way]
    good = promote_model(database, 0)
    store.synchronize()
    bad = add(database, 1)
    registry.promote(database, "BTCUSDT", bad, "a test")
    store.synchronize()
    assert serving(store) == good
    entry = registry.model(database, bad)
    assert entry["state"] == "quarantined"
    assert re.search(words, entry["quarantine_reason"])
    assert loads == [("BTCUSDT", good, "loaded"), ("BTCUSDT", bad, "refused")]
    store.synchronize()
    assert len(loads) == 2, "a refused bundle is not read again"
    alert = database.alerts.find_one({"kind": "model_refused"})
    assert alert is not None
    assert (alert["_id"], alert["symbol"]) == (f"model_refused|{bad}", "BTCUSDT")
    assert entry["quarantine_reason"][:1_000] in alert["message"]


def test_the_other_workers_neither_load_it_nor_alert_again(
    store: ChampionStore, other: ChampionStore, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = promote_model(database, 0)
    store.synchronize()
    other.synchronize()
    bad = promote_model(database, 1, tamper=True)
    store.synchronize()
    reason = registry.model(database, bad)["quarantine_reason"]
    monkeypatch.setattr(registry, "load_bundle", lambda *_: pytest.fail("a quarantined bundle was read"))
    other.synchronize()
    assert serving(other) == good
    assert registry.model(database, bad)["quarantine_reason"] == reason
    assert database.alerts.count_documents({"kind": "model_refused"}) == 1


def test_a_refusal_that_mongodb_did_not_take_is_recorded_later(
    store: ChampionStore, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = promote_model(database, 0, tamper=True)
    with monkeypatch.context() as away:

        def fail(*_: Any) -> bool:
            raise AutoReconnect("away")

        away.setattr(registry, "quarantine", fail)
        with pytest.raises(AutoReconnect):
            store.synchronize()
    assert registry.model(database, bad)["state"] == "champion"
    store.synchronize()
    assert registry.model(database, bad)["state"] == "quarantined"
    assert database.alerts.count_documents({"kind": "model_refused"}) == 1


def test_a_trial_that_was_ended_from_without_says_nothing_of_the_bundle(
    store: ChampionStore, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = promote_model(database, 0)

    def end(*_: Any) -> None:
        raise TrialUnfinishedError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Trial, "run", end)
        store.synchronize()
    assert serving(store) is None
    assert registry.model(database, version)["state"] == "champion"
    store.synchronize()
    assert serving(store) == version


def test_what_nobody_has_foreseen_of_one_bundle_keeps_no_other_from_serving(
    store: ChampionStore, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = promote_model(database, 0)
    strange = promote_model(database, 1)
    other = promote_model(database, 0, "ETHUSDT")
    load = BundleLoader.load

    def fail(loader: BundleLoader, symbol: str, version: str) -> Bundle:
        if version == strange:
            raise ZeroDivisionError
        return load(loader, symbol, version)

    with monkeypatch.context() as failing:
        failing.setattr(BundleLoader, "load", fail)
        store.synchronize()
    assert store.versions() == {"BTCUSDT": before, "ETHUSDT": other}
    assert store.await_first_look(0)
    assert registry.model(database, strange)["state"] == "champion"
    store.synchronize()
    assert store.versions() == {"BTCUSDT": strange, "ETHUSDT": other}


def test_a_refusal_that_cannot_be_told_keeps_no_symbol_from_serving(
    store: ChampionStore, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = promote_model(database, 0, tamper=True)
    other = promote_model(database, 0, "ETHUSDT")
    with monkeypatch.context() as failing:
        failing.setattr(store, "_on_refusal", lambda *_: 1 / 0)
        store.synchronize()
        store.synchronize()
    assert store.versions() == {"ETHUSDT": other}
    store.synchronize()
    assert database.alerts.distinct("_id") == [f"model_refused|{bad}"]


def test_nothing_is_loaded_once_it_was_closed(
    store: ChampionStore, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        promote_model(database, 0, symbol)
        promote_model(database, 1, symbol)

    def close(trial: Trial, *_: Any) -> None:
        tried.append(trial)
        store.close()
        raise TrialUnfinishedError("killed")

    monkeypatch.setattr(Trial, "run", close)
    store.synchronize()
    assert len(tried) == 1, "neither the champion before nor the next symbol's"
    assert not store.await_first_look(0)


def test_a_worker_that_starts_beside_a_bad_champion_serves_its_predecessor(
    store: ChampionStore, database: Db
) -> None:
    good = promote_model(database, 0)
    promote_model(database, 1, tamper=True)
    store.synchronize()
    assert serving(store) == good
