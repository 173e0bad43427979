"""Start services in order: each as soon as those that it needs are healthy, side by side otherwise."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from cryptobot.settings import ROOT
from infra.local.errors import LocalRunError
from infra.local.health import NOT_YET
from infra.local.layout import Layout
from infra.local.progress import Progress
from infra.local.services import Service
from infra.local.supervisor import Supervisor

_LIMIT_SECONDS = 300.0
_PAUSE_SECONDS = 0.25
_ATTEMPTS = 3


class Starter:
    """Starts the services of one run, in as many threads as there are services."""

    def __init__(
        self, supervisor: Supervisor, layout: Layout, environment: Mapping[str, str], progress: Progress
    ) -> None:
        self._supervisor = supervisor
        self._layout = layout
        self._environment = environment
        self._progress = progress
        self._abandoned = threading.Event()

    def start(self, services: Sequence[Service]) -> None:
        """Return when every service is healthy.

        Raises
        ------
        LocalRunError
            For the first one that fails; the others are no longer waited for.
        """
        self._progress.now(f"starting {len(services)} services")
        begun: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=len(services)) as pool:
            for service in services:  # each after those that it needs, so these have begun
                begun[service.name] = pool.submit(self._one, service, [begun[name] for name in service.needs])
            try:
                done, _ = wait(begun.values(), return_when=FIRST_EXCEPTION)
            finally:
                self._abandoned.set()
        failures = [future.exception() for future in done if future.exception()]
        for failure in sorted(failures, key=lambda one: isinstance(one, _AbandonedError)):
            if failure:
                raise failure

    def _one(self, service: Service, needed: Sequence[Future[None]]) -> None:
        for future in needed:
            if future.exception():
                raise _AbandonedError(service.name)
        began = time.monotonic()
        service.prepare()
        if service.once:
            self._run_once(service)
        else:
            self._supervisor.start(service.name)
            self._await_health(service)
        self._progress.say(f"{service.name} is ready after {time.monotonic() - began:.1f} s")

    def _run_once(self, service: Service) -> None:
        log = self._layout.log(service.name)
        with log.open("ab") as output:
            run = subprocess.run(  # noqa: S603
                service.argv,
                env={**self._environment, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                timeout=_LIMIT_SECONDS,
            )
        if run.returncode:
            raise LocalRunError(f"{service.name} failed with exit code {run.returncode}; its log is {log}")

    def _await_health(self, service: Service) -> None:
        deadline = time.monotonic() + _LIMIT_SECONDS
        log = self._layout.log(service.name)
        processes: set[int] = set()
        while not is_healthy(service):
            if self._abandoned.is_set():
                raise _AbandonedError(service.name)
            info = self._supervisor.states()[service.name]
            processes |= {info["pid"]} - {0}
            if info["statename"] == "FATAL" or len(processes) > _ATTEMPTS:
                raise LocalRunError(f"{service.name} does not stay up ({_last_line(log)}); its log is {log}")
            if time.monotonic() > deadline:
                raise LocalRunError(
                    f"{service.name} was not healthy within {_LIMIT_SECONDS:g} s; its log is {log}"
                )
            time.sleep(_PAUSE_SECONDS)


class _AbandonedError(LocalRunError):
    """Another service failed first."""


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1][:200]


def is_healthy(service: Service) -> bool:
    """Ask the service's check once; an error that means "not yet" is False."""
    try:
        return service.check()
    except NOT_YET:
        return False
