"""`docker-compose.yml` declares what the local run declares, and keeps its promises."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryptobot.settings import ROOT, Settings
from infra.local import airflow_environment, dotenv, jars
from infra.local.layout import Layout
from infra.local.services import DAEMONS, Service, declare

COMPOSE_ONLY = {"kafka-topics"}
"""A step that the local run does in its health check of Kafka."""

COMPOSE_SPEC = jars.CACHE / "bin" / "compose-spec"
"""The Compose Specification's own checker: the parser of ``docker compose config``."""

ADDRESSES_AND_SECRETS = re.compile(r"KEY|SECRET|URL|CONN|HOST|HOME|FOLDER|PATH")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    declared: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return declared


@pytest.fixture
def local(tmp_path: Path) -> dict[str, Service]:
    services = declare(Settings(_env_file=None), Layout(tmp_path, tmp_path, "test"))
    return {service.name: service for service in services}


def test_both_declare_the_same_services(compose: dict[str, Any], local: dict[str, Service]) -> None:
    assert set(compose["services"]) == set(local) | COMPOSE_ONLY


def test_both_run_the_same_commands(compose: dict[str, Any], local: dict[str, Service]) -> None:
    for name in set(local) - {"mongod", "kafka", "postgres"}:
        command = compose["services"][name]["command"]
        argv = [Path(local[name].argv[0]).name.replace("python3", "python"), *local[name].argv[1:]]
        assert command == argv


def test_both_listen_on_the_same_ports_of_loopback(
    compose: dict[str, Any], local: dict[str, Service]
) -> None:
    for name, service in local.items():
        published = compose["services"][name].get("ports", [])
        assert all(port.startswith("127.0.0.1:") for port in published)
        inside = {int(port.rpartition(":")[2]) for port in published}
        controller = {9093} if name == "kafka" else set()
        assert inside == set(service.ports) - controller


def test_both_wait_for_the_same_services(compose: dict[str, Any], local: dict[str, Service]) -> None:
    for name, service in local.items():
        waits = {
            "kafka" if needed == "kafka-topics" else needed
            for needed in compose["services"][name].get("depends_on", {})
        }
        assert waits >= set(service.needs), name


def test_daemons_serve_their_metrics_on_ports_of_their_own(
    compose: dict[str, Any], local: dict[str, Service]
) -> None:
    ports = {name: local[name].environment["CRYPTOBOT_METRICS_PORT"] for name in DAEMONS if name in local}
    assert len(set(ports.values())) == len(ports) >= 2
    for name, port in ports.items():
        assert compose["services"][name]["environment"]["CRYPTOBOT_METRICS_PORT"] == port


def test_every_lasting_service_has_a_health_check(compose: dict[str, Any], local: dict[str, Service]) -> None:
    for name, service in local.items():
        assert service.once or "healthcheck" in compose["services"][name], name


def test_airflow_is_configured_alike(compose: dict[str, Any], tmp_path: Path) -> None:
    secrets = {name: make() for name, make in dotenv.GENERATED.items()}
    ours = airflow_environment.variables(
        Settings(_env_file=None), Layout(tmp_path, tmp_path, "test"), secrets
    )
    theirs = compose["services"]["airflow-scheduler"]["environment"]
    names = {name for name in theirs if name.startswith("AIRFLOW")}
    assert names == ours.keys()
    for name in names:
        if not ADDRESSES_AND_SECRETS.search(name):
            assert theirs[name] == ours[name], name


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in set(dotenv.GENERATED) - {"CRYPTOBOT_ADMIN_USER"}:
        assert f"${{{name}:?" in text
        assert not re.search(rf"\$\{{{name}(:?-|\}})", text)


@pytest.mark.parametrize("dockerfile", sorted((ROOT / "infra" / "docker").glob("*.Dockerfile")), ids=str)
def test_images_run_without_root_and_hold_no_env_file(dockerfile: Path) -> None:
    last_stage = dockerfile.read_text().rpartition("FROM ")[2]
    assert re.search(r"^USER cryptobot$", last_stage, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert "!.env" not in ignored


def test_the_groups_of_the_images_exist(compose: dict[str, Any]) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    for service in compose["services"].values():
        for group in service.get("build", {}).get("args", {}).get("GROUPS", "").split():
            assert re.search(rf"^{group} = \[", project, re.MULTILINE), group


def test_docker_accepts_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0:
        dotenv.complete(tmp_path / "env")
        command = [docker, "compose", "--env-file", str(tmp_path / "env"), "config", "--quiet"]
    elif COMPOSE_SPEC.is_file():
        # It does not pass the environment on to its parser, so that variables stay as they are written.
        command = [str(COMPOSE_SPEC), "-no-interpolation", "docker-compose.yml"]
    else:
        pytest.skip(
            "2026-11-22: neither a docker client with the compose plugin is here, nor "
            f"{COMPOSE_SPEC}, which .ci/run builds where Go is installed"
        )
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
