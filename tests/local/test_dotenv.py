"""The `.env` file: made once, completed later, kept to its owner."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from cryptobot.settings import ROOT
from infra.local import dotenv


@pytest.fixture(autouse=True)
def _no_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in dotenv.GENERATED:
        monkeypatch.delenv(name, raising=False)


def test_every_secret_is_random_and_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = dotenv.complete(tmp_path / "one"), dotenv.complete(tmp_path / "two")
    assert first.keys() == dotenv.GENERATED.keys()
    assert not {name for name in first if first[name] == second[name] and name != "CRYPTOBOT_ADMIN_USER"}
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    Fernet(first["CRYPTOBOT_AIRFLOW_FERNET_KEY"])


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    dotenv.complete(tmp_path / "env")
    before = (tmp_path / "env").read_text()
    dotenv.complete(tmp_path / "env")
    assert (tmp_path / "env").read_text() == before


def test_what_a_person_wrote_stays_and_what_is_missing_is_added(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("CRYPTOBOT_ADMIN_PASSWORD=chosen\nCRYPTOBOT_API_PORT=8123")
    values = dotenv.complete(file)
    assert values["CRYPTOBOT_ADMIN_PASSWORD"] == "chosen"
    assert values["CRYPTOBOT_API_PORT"] == "8123"
    assert values.keys() >= dotenv.GENERATED.keys()


def test_the_example_is_completed_to_a_working_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text((ROOT / ".env.example").read_text())
    assert dotenv.complete(file).keys() == dotenv.GENERATED.keys()


def test_a_secret_of_the_environment_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTOBOT_TOKEN_KEY", "from the caller")
    assert "CRYPTOBOT_TOKEN_KEY" not in dotenv.complete(tmp_path / "env")
