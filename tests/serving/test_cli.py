"""The command line for models: what it shows, what it changes, and how it refuses."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.serving import cli, registry
from cryptobot.settings import Settings
from cryptobot.storage.health import report_health
from tests.serving.models import add_model, promote_model

Db = Database[dict[str, Any]]
METRICS = {"log_loss": 0.98, "log_loss_baseline": 1.0}


@pytest.fixture
def run(app_settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command on the test's database; return the lines that it prints."""
    monkeypatch.setattr(cli, "settings", lambda: app_settings)

    def run(*arguments: str) -> list[str]:
        cli.main(arguments)
        return capsys.readouterr().out.splitlines()

    return run


def serve(database: Db, version: str, worker: str) -> None:
    report_health(database, "api", worker, "healthy", {"models": {"BTCUSDT": version}})


def test_the_models_are_listed_with_why_each_serves_or_not(run: Any, database: Db) -> None:
    assert run("list") == ["no models yet; the DAG `models` trains them"]
    first = promote_model(database, 0, metrics=METRICS, fit=True)
    second = promote_model(database, 1, metrics=METRICS)
    waiting = add_model(database, 2, metrics=METRICS)
    bad = add_model(database, 3, "ETHUSDT", metrics=METRICS)
    registry.quarantine(database, bad, "hash differs")
    head, *rows = run("list")
    assert head.split()[:3] == ["version", "state", "fit"]
    assert [row.split()[:2] for row in rows] == [
        [waiting, "challenger"], [second, "champion"], [first, "superseded"], [bad, "quarantined"],
    ]  # fmt: skip
    assert rows[0].endswith("2026-01-01 00:00  not judged yet")
    assert rows[2].split()[2:5] == ["yes", "random_forest", "+0.0200"]
    assert rows[3].endswith("hash differs")
    assert len(run("list", "ETHUSDT")) == 2


def test_a_version_is_promoted_by_hand_and_every_worker_serves_it(run: Any, database: Db) -> None:
    promote_model(database, 0, metrics=METRICS)
    version = add_model(database, 1, metrics=METRICS)
    for worker in ("1@here", "2@here"):
        serve(database, version, worker)
    assert run("promote", version, "--reason", "a trial") == [
        f"BTCUSDT: {version} is the champion",
        "served by all 2 API workers",
    ]
    told = f"promoted by hand ({getpass.getuser()}): a trial"
    verdict = registry.model(database, version)["verdict"]
    assert (verdict["reason"], verdict["by"]) == (told, getpass.getuser())
    assert registry.champion(database, "BTCUSDT")["reason"] == told


def test_a_champion_is_rolled_back_and_who_lags_is_told(run: Any, database: Db) -> None:
    first, second = (promote_model(database, seed, metrics=METRICS) for seed in range(2))
    serve(database, first, "1@here")
    serve(database, second, "2@here")
    assert run("roll-back", "BTCUSDT", "--reason", "it earns nothing", "--wait", "0.2") == [
        f"BTCUSDT: {first} is the champion",
        "served by 1 of 2 API workers after 0.2 s; see GET /readyz",
    ]
    assert registry.champion(database, "BTCUSDT")["version"] == first


def test_only_the_champion_that_is_meant_is_rolled_back(run: Any, database: Db) -> None:
    first, second, third = (promote_model(database, seed, metrics=METRICS) for seed in range(3))
    asked = ("roll-back", "BTCUSDT", "--reason", "x", "--version")
    told = f"{second} is not the champion of BTCUSDT \\(it is {third}\\): not rolled back"
    with pytest.raises(SystemExit, match=told):
        run(*asked, second)
    assert run(*asked, third)[0] == f"BTCUSDT: {second} is the champion"
    with pytest.raises(SystemExit, match=f"{third} is not the champion"):
        run(*asked, third)
    assert registry.champion(database, "BTCUSDT")["previous"] == first


def test_what_cannot_be_done_is_refused_in_one_sentence(run: Any, database: Db) -> None:
    only = promote_model(database, 0, metrics=METRICS)
    bad = add_model(database, 1, metrics=METRICS)
    registry.quarantine(database, bad, "hash differs")
    for arguments, told in (
        (("roll-back", "BTCUSDT", "--reason", "x"), f"no sound model of BTCUSDT served before {only}"),
        (("roll-back", "DOGEUSDT", "--reason", "x"), "DOGEUSDT has no champion"),
        (("promote", bad, "--reason", "x"), f"{bad} is quarantined \\(hash differs\\)"),
        (("promote", "nonsense", "--reason", "x"), "no model nonsense in the registry"),
    ):
        with pytest.raises(SystemExit, match=f"cryptobot-models: {told}"):
            run(*arguments)
    assert registry.champion(database, "BTCUSDT")["version"] == only
