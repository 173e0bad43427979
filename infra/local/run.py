"""``make run`` and ``make stop``: from a bare checkout to a served signal, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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
    """Start what does not run yet, then see the main job through; safe to call again."""
    with Progress() as progress:
        installation = _start_services(progress, only)
        if services_only:
            return
        served = _main_job(installation, progress)
    print(summary(installation.settings, served))


def _start_services(progress: Progress, only: str | None) -> Installation:
    preflight.check_java()
    base = Layout.of_environment()
    preflight.check_folders([base.state, base.logs])
    installation = environment.read(create=True)
    supervisor = Supervisor(installation.layout)
    if supervisor.pid() is None:
        supervisor.stop()  # what a supervisor that was killed has left behind
    elif (running := environment.running().market).name != installation.market.name:
        raise LocalRunError(
            f"{running.title} is running and {installation.market.title} was asked for; "
            "call `make stop` first (each market keeps its own data)"
        )
    services = _selected(_declared(installation), only)
    preflight.check_ports(services, {process.pid for process in supervisor.processes()})
    progress.say(f"market: {installation.market.title}")
    _start(installation, supervisor, services, progress)
    progress.say("every service is healthy")
    return installation


def _main_job(installation: Installation, progress: Progress) -> dict[str, str]:
    configured = installation.settings
    password = configured.admin_password.get_secret_value()
    database = connect(configured)
    logs = installation.layout.task_logs
    with database.client, AirflowApi(configured.airflow_url, configured.admin_user, password) as airflow:
        return MainJob(airflow, database, configured, logs, progress).see_through()


def _declared(installation: Installation) -> list[Service]:
    with ThreadPoolExecutor() as pool:  # two resolutions at Maven Central, the first time
        for fetched in [pool.submit(jars.KAFKA.fetch), pool.submit(jars.SPARK_MONGO.fetch)]:
            fetched.result()
    return declare(installation.settings, installation.layout)


def _selected(services: list[Service], only: str | None) -> list[Service]:
    if not only:
        return services
    wanted = set(only.split(","))
    for service in reversed(services):
        if service.name in wanted:
            wanted |= set(service.needs)
    return [service for service in services if service.name in wanted]


def _start(
    installation: Installation, supervisor: Supervisor, services: list[Service], progress: Progress
) -> None:
    installation.layout.create()
    variables = installation.service_environment()
    fresh = supervisor.pid() is None
    declared = declare(installation.settings, installation.layout)
    if not supervisor.runs_with(declared, variables):
        supervisor.stop()
        environment.save(installation)
        supervisor.launch(declared, variables)
    starter = Starter(
        supervisor,
        installation.layout,
        variables,
        lambda name, seconds: progress.say(f"{name} is ready after {seconds:.1f} s"),
    )
    try:
        progress.now(f"starting {len(services)} services")
        starter.start(services)
    except LocalRunError:
        if fresh:
            supervisor.stop()
        raise


def stop() -> None:
    """End every process of the run."""
    killed = Supervisor(Layout.of_environment()).stop()
    told = f" ({killed} had to be killed)" if killed else ""
    print(f"CryptoBot is stopped{told}")
