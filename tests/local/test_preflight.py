"""What must hold before anything starts, said in one line where it does not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import preflight
from infra.local.errors import LocalRunError
from infra.local.services import Service


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def java(folder: Path, version: str) -> None:
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)


@pytest.fixture
def only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds this folder and the shell alone."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "bin"


def listening(name: str, port: int) -> Service:
    return Service(name, ("true",), lambda: True, {port: "CRYPTOBOT_API_PORT"})


def test_a_busy_port_is_named_with_its_holder_and_the_way_out(busy_port: int) -> None:
    expected = (
        rf"port {busy_port}, which api needs, is in use by .+ \(pid {os.getpid()}\); .*CRYPTOBOT_API_PORT"
    )
    with pytest.raises(LocalRunError, match=expected):
        preflight.check_ports([listening("api", busy_port)], own=set())


def test_a_port_that_our_own_run_holds_is_fine(busy_port: int) -> None:
    preflight.check_ports([listening("api", busy_port)], own={os.getpid()})


def test_without_java_the_way_to_get_it_is_told(only_path: Path) -> None:
    with pytest.raises(LocalRunError, match=r"no Java on the PATH.*apt install openjdk-17"):
        preflight.check_java()


@pytest.mark.parametrize(("version", "told"), [("11.0.2", "11"), ("1.8.0_402", "8")])
def test_a_java_too_old_is_told_by_its_version(only_path: Path, version: str, told: str) -> None:
    java(only_path, version)
    with pytest.raises(LocalRunError, match=rf"is {told}; Spark and Kafka need 17"):
        preflight.check_java()


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_java_17_and_newer_will_do(only_path: Path, version: str) -> None:
    java(only_path, version)
    preflight.check_java()


def test_spark_would_take_the_java_of_java_home(
    only_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(only_path, "21")
    (tmp_path / "old" / "bin").mkdir(parents=True)
    java(tmp_path / "old" / "bin", "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    with pytest.raises(LocalRunError, match="that JAVA_HOME names"):
        preflight.check_java()


def test_too_little_disk_is_told_with_both_figures(tmp_path: Path) -> None:
    with pytest.raises(LocalRunError, match=r"GB of disk left and 1e\+09 GB are needed"):
        preflight.check_folders([tmp_path], minimum_gb=1e9)


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalRunError, match="file/state cannot be created"):
        preflight.check_folders([tmp_path / "file" / "state"])
