"""Which deployments are done, and what becomes of those that are not; on reports of workers that are none."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.serving import deployment, registry
from cryptobot.serving.deployment import DeploymentError, await_deployment
from cryptobot.settings import Settings
from cryptobot.storage.health import report_health
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]


def report(database: Db, **versions: str) -> None:
    """Let each named worker report the version that it serves for BTCUSDT."""
    for worker, version in versions.items():
        report_health(database, "api", worker, "healthy", {"models": {"BTCUSDT": version}, "pid": 1})


def pointer(database: Db) -> str:
    found = registry.champion(database, "BTCUSDT")
    assert found is not None
    return str(found["version"])


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were scored through the API, which answers as it should."""
    versions: list[str] = []
    monkeypatch.setattr(deployment, "_score", lambda _, manifest: versions.append(manifest["_id"]))
    return versions


def test_a_worker_that_stays_behind_is_named_and_the_pointer_returns(
    database: Db, app_settings: Settings, scored: list[str]
) -> None:
    old, new = promote_model(database, 0), promote_model(database, 1)
    report(database, first=new, second=old)
    told = rf"1 of 2 API workers do not serve it \(second\); rolled back to {old}"
    with pytest.raises(DeploymentError, match=told):
        await_deployment(database, app_settings, limit_s=0.3)
    assert pointer(database) == old
    assert scored == []


def test_it_is_done_when_all_serve_it_and_it_was_scored(
    database: Db, app_settings: Settings, scored: list[str]
) -> None:
    version = promote_model(database, 0)
    report(database, first=version, second=version)
    assert await_deployment(database, app_settings, limit_s=5) == {"BTCUSDT": version}
    assert scored == [version]


def test_a_version_that_scores_otherwise_through_the_api_is_rolled_back(
    database: Db, app_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = promote_model(database, 0), promote_model(database, 1)
    report(database, first=new)
    monkeypatch.setattr(deployment, "_score", lambda *_: "its known rows differ by 0.5 through the API")
    with pytest.raises(DeploymentError, match="known rows differ"):
        await_deployment(database, app_settings, limit_s=0.3)
    assert pointer(database) == old


def test_a_champion_that_is_promoted_meanwhile_is_awaited_instead(
    database: Db, app_settings: Settings, scored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = promote_model(database, 0)
    report(database, first=old)
    newer: list[str] = []

    def look_away(_: float) -> None:
        report(database, first=newer[0])

    def promote_before_the_look(*_: Any) -> str | None:
        if not newer:
            newer.append(promote_model(database, 1))
            return "not yet"
        return None

    monkeypatch.setattr(deployment.time, "sleep", look_away)
    monkeypatch.setattr(deployment, "_score", promote_before_the_look)
    assert await_deployment(database, app_settings, limit_s=5) == {"BTCUSDT": newer[0]}
    assert pointer(database) == newer[0]
