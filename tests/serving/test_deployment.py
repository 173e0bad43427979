"""Which deployments are done, and what becomes of those that are not; on reports of workers that are none."""

from __future__ import annotations

from collections.abc import Callable
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


class Clock:
    """Time that passes in the pauses of the deployment alone, 10 s in each, with what happens then."""

    def __init__(self, *happenings: Callable[[], Any]) -> None:
        self.now = 0.0
        self._happenings = list(happenings)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += 10
        if self._happenings:
            self._happenings.pop(0)()


def idle() -> None:
    """Nothing happens in a pause."""


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


def test_while_no_worker_is_alive_nothing_is_rolled_back(database: Db, app_settings: Settings) -> None:
    _, new = promote_model(database, 0), promote_model(database, 1)
    told = f"{new} is not deployed: no API worker is alive; it was not rolled back.*make status"
    for _ in range(2):
        with pytest.raises(DeploymentError, match=told):
            await_deployment(database, app_settings, limit_s=0.2)
    assert pointer(database) == new


def test_an_api_that_takes_no_connection_is_no_fault_of_the_champion(
    database: Db, app_settings: Settings
) -> None:
    _, new = promote_model(database, 0), promote_model(database, 1)
    report(database, first=new)
    with pytest.raises(DeploymentError, match=rf"{new} .*nothing answers at http.*it was not rolled back"):
        await_deployment(database, app_settings, limit_s=0.2)
    assert pointer(database) == new


def test_workers_that_came_late_had_no_fair_time(
    database: Db, app_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = promote_model(database, 0), promote_model(database, 1)
    monkeypatch.setattr(deployment, "time", Clock(idle, lambda: report(database, first=old)))
    with pytest.raises(DeploymentError, match=r"1 of 1 API workers do not serve it .*the API was away"):
        await_deployment(database, app_settings)
    assert pointer(database) == new


def test_what_was_deployed_once_is_never_rolled_back_unless_it_is_quarantined(
    database: Db, app_settings: Settings, scored: list[str]
) -> None:
    old, new = promote_model(database, 0), promote_model(database, 1)
    report(database, first=new)
    await_deployment(database, app_settings, limit_s=5)
    report(database, first=old)
    with pytest.raises(DeploymentError, match="it was not rolled back, because it was deployed at 20"):
        await_deployment(database, app_settings, limit_s=0.2)
    assert pointer(database) == new
    registry.quarantine(database, new, "hash differs")
    with pytest.raises(DeploymentError, match=f"hash differs; rolled back to {old}"):
        await_deployment(database, app_settings, limit_s=0.2)


def test_the_deployed_version_that_was_returned_to_is_not_rolled_back_in_turn(
    database: Db, app_settings: Settings, scored: list[str]
) -> None:
    promote_model(database, 0)
    good = promote_model(database, 1)
    report(database, first=good)
    await_deployment(database, app_settings, limit_s=5)
    newer = promote_model(database, 2)
    for told in (f"{newer} .*rolled back to {good}", f"{good} .*it was not rolled back, because"):
        report(database, first="another")
        with pytest.raises(DeploymentError, match=told):
            await_deployment(database, app_settings, limit_s=0.2)
    assert pointer(database) == good


def test_a_version_that_is_promoted_again_has_to_be_deployed_anew(
    database: Db, app_settings: Settings, scored: list[str]
) -> None:
    first = promote_model(database, 0)
    report(database, first=first)
    await_deployment(database, app_settings, limit_s=5)
    second = promote_model(database, 1)
    registry.promote(database, "BTCUSDT", first, "again")
    report(database, first=second)
    with pytest.raises(DeploymentError, match=f"{first} .*; rolled back to {second}"):
        await_deployment(database, app_settings, limit_s=0.2)


def test_each_version_has_a_time_of_its_own(
    database: Db, app_settings: Settings, scored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = promote_model(database, 0)
    report(database, first=old)
    promote_model(database, 1)
    newest: list[str] = []
    clock = Clock(
        *[idle] * 4,
        lambda: newest.append(promote_model(database, 2)),
        *[idle] * 4,
        lambda: report(database, first=newest[0]),
    )
    monkeypatch.setattr(deployment, "time", clock)
    assert await_deployment(database, app_settings) == {"BTCUSDT": newest[0]}
    assert clock.now == 100
    promote_model(database, 3)
    with pytest.raises(DeploymentError, match=f"rolled back to {newest[0]}"):
        await_deployment(database, app_settings)
    assert clock.now == 160
