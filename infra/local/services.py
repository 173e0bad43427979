"""The services of a local run, declared once: what each is, needs, listens on, and when it is healthy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cryptobot.settings import Settings
from cryptobot.storage.live_health import DAEMONS
from infra.local import health, kafka, mongod, postgres
from infra.local.layout import Layout

_BIN = Path(sys.executable).parent
STORES = frozenset({"mongod", "kafka", "postgres"})
"""What the other services write to, and which therefore stops last."""
METRICS_PORT = 9101
"""Where the first daemon serves its metrics, unless the settings name another port; the others follow."""

_LOOPBACK = {"127.0.0.1", "localhost"}


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """One service under the supervisor; with ``once``, a step that ends before others start."""

    name: str
    argv: tuple[str, ...]
    check: health.Check
    ports: Mapping[int, str] = field(default_factory=dict)
    """Ports of loopback that it listens on, each with the setting that moves it elsewhere."""
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], object] = _nothing
    once: bool = False
    stop_seconds: int = 10
    stop_signal: str = "TERM"


def declare(settings: Settings, layout: Layout) -> list[Service]:
    """Return the services of this installation, each after those that it needs."""
    database = _mongod(settings, layout)
    broker = _kafka(settings, layout)
    exchange = [_exchange(settings)] if settings.exchange == "offline" else []
    stores = _names(database, broker)
    product = [
        *(
            _daemon(settings, name, (*stores, *_names(exchange)) if name == "producer" else stores)
            for name in DAEMONS
        ),
        Service(
            "api",
            (str(_BIN / "cryptobot-api"),),
            health.http(f"{settings.api_url}/livez"),
            {settings.api_port: "CRYPTOBOT_API_PORT"},
            needs=_names(database),
        ),
        Service(
            "dashboard",
            (str(_BIN / "cryptobot-dashboard"),),
            health.http(f"http://127.0.0.1:{settings.dashboard_port}/"),
            {settings.dashboard_port: "CRYPTOBOT_DASHBOARD_PORT"},
            needs=("api",),
        ),
    ]
    return [*database, *broker, *exchange, *_airflow(settings, layout), *product]


def _names(*services: list[Service]) -> tuple[str, ...]:
    return tuple(service.name for declared in services for service in declared)


def _daemon(settings: Settings, name: str, needs: tuple[str, ...]) -> Service:
    port = (settings.metrics_port or METRICS_PORT) + DAEMONS.index(name)
    return Service(
        name,
        (str(_BIN / f"cryptobot-{name}"),),
        health.reports(settings, name),
        needs=needs,
        environment={"CRYPTOBOT_METRICS_PORT": str(port)},
    )


def _mongod(settings: Settings, layout: Layout) -> list[Service]:
    uri = settings.mongo_uri.get_secret_value()
    address = urlsplit(uri)
    if address.hostname not in _LOOPBACK:
        return []
    port = address.port or 27017
    return [
        Service(
            "mongod",
            tuple(mongod.command(port, layout.mongod)),
            health.replica_set(uri),
            {port: "CRYPTOBOT_MONGO_URI"},
            stop_seconds=20,
        )
    ]


def _kafka(settings: Settings, layout: Layout) -> list[Service]:
    host, _, named = settings.kafka_bootstrap.partition(":")
    if host not in _LOOPBACK:
        return []
    port = int(named or 9092)
    return [
        Service(
            "kafka",
            tuple(kafka.command(layout.kafka)),
            health.broker(settings.kafka_bootstrap),
            {port: "CRYPTOBOT_KAFKA_BOOTSTRAP", port + 1: "CRYPTOBOT_KAFKA_BOOTSTRAP"},
            prepare=lambda: kafka.configure(layout.kafka, port, port + 1),
            stop_seconds=20,
        )
    ]


def _exchange(settings: Settings) -> Service:
    return Service(
        "exchange",
        (str(_BIN / "cryptobot-exchange"),),
        health.http(f"{settings.rest_url}/api/v3/ping"),
        {settings.exchange_port: "CRYPTOBOT_EXCHANGE_PORT"},
    )


def _airflow(settings: Settings, layout: Layout) -> list[Service]:
    airflow = str(_BIN / "airflow")
    url = settings.airflow_url

    def component(name: str, reported: str, *options: str) -> Service:
        return Service(
            f"airflow-{name}",
            (airflow, name, *options),
            health.airflow(url, reported),
            needs=("airflow-init",),
            stop_seconds=20,
        )

    return [
        Service(
            "postgres",
            tuple(postgres.command(layout.postgres, layout.sockets)),
            partial(postgres.answers, layout.sockets),
            prepare=partial(postgres.initialize, layout.postgres),
            stop_signal="INT",  # closes its connections; TERM would wait for them
        ),
        Service(
            "airflow-init",
            (sys.executable, "-m", "infra.local.airflow_init"),
            health.file(layout.airflow / "initialized"),
            needs=("postgres",),
            once=True,
        ),
        Service(
            "airflow-api-server",
            (airflow, "api-server"),
            health.airflow(url, "metadatabase"),
            {settings.airflow_port: "CRYPTOBOT_AIRFLOW_PORT"},
            needs=("airflow-init",),
            stop_seconds=20,
        ),
        # Logs are read from the shared folder: the servers that would offer them listen on every address.
        component("scheduler", "scheduler", "--skip-serve-logs"),
        component("dag-processor", "dag_processor"),
        component("triggerer", "triggerer", "--skip-serve-logs"),
    ]
