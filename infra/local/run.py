"""``make run`` and ``make stop``: from a bare checkout to a served signal, and back."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from cryptobot.storage.database import connect
from infra.local import environment, jars, preflight
from infra.local.airflow_api import AirflowApi
from infra.local.environment import Installation
from infra.local.errors import LocalRunError
from infra.local.layout import Layout
from infra.local.main_job import MainJob
from infra.local.progress import Progress
from infra.local.services import Service, declare
from infra.local.start import Starter
from infra.local.summary import summary
from infra.local.supervisor import Supervisor


def run(*, services_only: bool = False, only: str | None = None) -> None:
    """Start what does not run yet, then see the main job through; safe to call again.

    Raises
    ------
    LocalRunError
        When a condition is not met or something failed. Services that this call was the first to
        start do not outlive a failure to become healthy; they do outlive a failure of the job.
    """
    layout = Layout.of_environment()
    preflight.check_java()
    preflight.check_folders([layout.state, layout.logs])
    with _alone(layout), Progress() as progress:
        installation = environment.read(create=True)
        supervisor = Supervisor(installation.layout)
        _check_market(supervisor, installation)
        progress.say(f"market: {installation.market.title}")
        progress.now("fetching what is missing of the Java archives")
        for jar_set in (jars.KAFKA, jars.KAFKA_LOGGING, jars.SPARK_MONGO):
            jar_set.fetch()
        services = declare(installation.settings, installation.layout)
        selected = _selected(services, only)
        preflight.check_ports(selected, {process.pid for process in supervisor.processes()})
        fresh = supervisor.pid() is None
        variables = _supervise(installation, supervisor, services)
        try:
            Starter(supervisor, installation.layout, variables, progress).start(selected)
        except LocalRunError:
            if fresh:
                supervisor.stop()
            raise
        progress.say(f"{len(selected)} services are healthy")
        if services_only:
            return
        served = _main_job(installation, progress)
    print(summary(installation.settings, served))


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    layout.supervisor.mkdir(parents=True, exist_ok=True)
    with (layout.supervisor / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalRunError(
                f"another `make run` is under way in {layout.state}; wait for it, or end it"
            ) from None
        yield


def _check_market(supervisor: Supervisor, installation: Installation) -> None:
    if supervisor.pid() is None:
        supervisor.stop()  # what a supervisor that was killed has left behind
    elif (running := environment.running().market).name != installation.market.name:
        raise LocalRunError(
            f"{running.title} is running and {installation.market.title} was asked for; "
            "call `make stop` first (each market keeps its own data)"
        )


def _selected(services: list[Service], only: str | None) -> list[Service]:
    if not only:
        return services
    wanted = set(only.split(","))
    for service in reversed(services):
        if service.name in wanted:
            wanted |= set(service.needs)
    return [service for service in services if service.name in wanted]


def _supervise(installation: Installation, supervisor: Supervisor, services: list[Service]) -> dict[str, str]:
    """Have a supervisor run with this configuration; return the environment of its services."""
    installation.layout.create()
    variables = installation.service_environment()
    if not supervisor.runs_with(services, variables):
        supervisor.stop()
        environment.save(installation)
        supervisor.launch(services, variables)
    return variables


def _main_job(installation: Installation, progress: Progress) -> dict[str, str]:
    configured = installation.settings
    password = configured.admin_password.get_secret_value()
    database = connect(configured)
    logs = installation.layout.task_logs
    try:
        with database.client, AirflowApi(configured.airflow_url, configured.admin_user, password) as airflow:
            return MainJob(airflow, database, configured, logs, progress).see_through()
    except httpx.HTTPError as error:
        raise LocalRunError(
            f"Airflow at {configured.airflow_url} does not answer as expected ({error}); "
            "see `make logs SERVICE=airflow-api-server`"
        ) from error


def stop() -> None:
    """End every process of the run."""
    killed = Supervisor(Layout.of_environment()).stop()
    told = f" ({killed} had to be killed)" if killed else ""
    print(f"CryptoBot is stopped{told}")
