"""``make run`` and ``make stop``: from a bare checkout to a served signal, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from infra.local import environment, jars, preflight
from infra.local.environment import Installation
from infra.local.errors import LocalRunError
from infra.local.layout import Layout
from infra.local.progress import Progress
from infra.local.services import Service, declare
from infra.local.start import Starter
from infra.local.supervisor import Supervisor


def run(*, services_only: bool = False, only: str | None = None) -> None:
    """Start what does not run yet, then see the main job through; safe to call again."""
    progress = Progress()
    preflight.check_java()
    base = Layout.of_environment()
    preflight.check_folders([base.state, base.logs])
    installation = environment.read(create=True)
    supervisor = Supervisor(installation.layout)
    if (running := supervisor.market()) not in {None, installation.market.name}:
        raise LocalRunError(
            f"the market {running} is running and {installation.market.name} was asked for; "
            "run `make stop` first (each market keeps its own data)"
        )
    if supervisor.pid() is None:
        supervisor.stop()  # what a supervisor that was killed has left behind
    services = _selected(_declared(installation), only)
    preflight.check_ports(services, {process.pid for process in supervisor.processes()})
    progress.say(f"market: {installation.market.title}")
    _start(installation, supervisor, services, progress)
    progress.say("every service is healthy")


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
    supervisor.ensure(declare(installation.settings, installation.layout), variables)
    starter = Starter(
        supervisor,
        installation.layout,
        variables,
        lambda name, seconds: progress.say(f"{name} is ready after {seconds:.1f} s"),
    )
    try:
        with progress.during(f"starting {len(services)} services"):
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
