"""The champions of one process: followed, verified, warmed up and swapped off the request path.

A request takes one reference (:meth:`ChampionStore.champion`) and keeps it; the follower thread
replaces the reference only when the new bundle has scored its golden rows. A bundle that cannot
be served is quarantined and the one before serves on; so it does while MongoDB is away.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from cryptobot.serving import registry
from cryptobot.serving.bundle import Bundle, BundleError
from cryptobot.serving.loading import BundleLoader
from cryptobot.serving.trial import TrialUnfinishedError
from cryptobot.settings import Settings
from cryptobot.storage.collections import CHAMPIONS
from cryptobot.storage.health import REPORT_EVERY_SECONDS, forget_unseen, report_health, withdraw_health

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""The change stream tells at once; the poll finds what a broken stream has missed."""
_STREAM_WAIT_MS = 500

Refusal = Callable[[Database[dict[str, Any]], str, str, str], object]
"""Called with database, symbol, version and reason; called again where MongoDB did not answer."""


@dataclass(frozen=True, slots=True)
class Champion:
    """A bundle that serves, and since when."""

    bundle: Bundle
    loaded_at: datetime

    @property
    def version(self) -> str:
        """The version that every answer names."""
        return self.bundle.manifest.version


class ChampionStore:
    """Follows the champions of ``settings.symbols`` and reports what it serves.

    Parameters
    ----------
    service
        As what the process is known in ``service_health``; ``None`` where it reports by itself.
    on_load
        Called with symbol, version and outcome (``loaded`` or ``refused``) after each attempt.
    on_refusal
        Tells people of a bundle that was quarantined; every worker calls it, and maybe more than once.
    """

    def __init__(
        self,
        database: Database[dict[str, Any]],
        settings: Settings,
        service: str | None,
        on_load: Callable[[str, str, str], None] | None = None,
        on_refusal: Refusal | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._loader = BundleLoader(database, settings)
        self._instance = f"{os.getpid()}@{socket.gethostname()}"
        self._on_load = on_load or (lambda symbol, version, outcome: None)
        self._on_refusal = on_refusal or (lambda database, symbol, version, reason: None)
        self._champions: dict[str, Champion] = {}
        self._refused: set[str] = set()
        self._untold: dict[str, tuple[str, str]] = {}
        self._looked = threading.Event()
        self._ending = threading.Event()
        self._changed = threading.Event()
        self._threads = [threading.Thread(target=self._follow, name="champions", daemon=True)]
        if service is not None:
            self._threads.append(
                threading.Thread(target=self._report, args=(service,), name="health", daemon=True)
            )

    def champion(self, symbol: str) -> Champion | None:
        """Return what serves ``symbol`` at this moment; keep it for the whole request."""
        return self._champions.get(symbol)

    def versions(self) -> dict[str, str]:
        """Return the version that serves each symbol."""
        return {symbol: champion.version for symbol, champion in self._champions.items()}

    def start(self) -> None:
        """Begin to follow and to report."""
        for thread in self._threads:
            thread.start()

    def await_first_look(self, limit_s: float) -> bool:
        """Return whether the champions were looked for, and loaded, within ``limit_s``."""
        return self._looked.wait(limit_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop following and take this instance off the record; the database stays open.

        A thread that waits for MongoDB longer than its share of ``timeout_s`` is left behind.
        """
        self._ending.set()
        self._changed.set()
        self._loader.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=timeout_s / len(self._threads))

    def _follow(self) -> None:
        away = False
        while not self._ending.is_set():
            try:
                self._follow_stream()
                away = False
            except PyMongoError as error:
                if not away:
                    log.warning("champions cannot be followed, those loaded serve on: %s", error)
                away = True
                self._ending.wait(1)
            except Exception:
                # Whatever it is, a worker that no longer follows would serve an old model for ever.
                log.exception("champions cannot be followed, trying again")
                self._ending.wait(1)

    def _follow_stream(self) -> None:
        with self._database[CHAMPIONS].watch(max_await_time_ms=_STREAM_WAIT_MS) as stream:
            next_poll = 0.0
            while not self._ending.is_set():
                if time.monotonic() >= next_poll or stream.try_next():
                    self.synchronize()
                    next_poll = time.monotonic() + POLL_SECONDS

    def synchronize(self) -> None:
        """Bring every symbol to its pointer; what cannot be served is quarantined.

        One symbol's failure, whatever it is, does not keep the next from being brought to its own;
        only where MongoDB does not answer is there nothing to go on with. Ends early on :meth:`close`.
        """
        self._tell_refusals()
        for symbol in self._settings.symbols:
            with _contained("champion not followed, trying again", symbol):
                self._bring(symbol)
        if not self._ending.is_set():
            self._looked.set()

    def _bring(self, symbol: str) -> None:
        pointer = registry.champion(self._database, symbol)
        serving = self._champions.get(symbol)
        if pointer is None or (serving and serving.version == pointer["version"]):
            return
        with _contained("bundle not loaded, trying again", symbol):
            if self._load(symbol, pointer["version"]):
                return
        if serving is None and pointer["previous"]:
            # A worker that starts beside a bad champion serves the last good one.
            self._load(symbol, pointer["previous"])

    def _load(self, symbol: str, version: str) -> bool:
        if version in self._refused or self._ending.is_set():
            return False
        began = time.monotonic()
        try:
            bundle = self._loader.load(symbol, version)
        except TrialUnfinishedError as error:
            log.warning("bundle not loaded, trying again: %s", error, extra={"version": version})
            return False
        except (BundleError, registry.RegistryError) as error:
            self._refuse(symbol, version, str(error))
            return False
        self._champions = {**self._champions, symbol: Champion(bundle, datetime.now(UTC))}
        self._changed.set()
        took_ms = round((time.monotonic() - began) * 1e3, 1)
        log.info("serving", extra={"symbol": symbol, "version": version, "load_ms": took_ms})
        self._on_load(symbol, version, "loaded")
        return True

    def _refuse(self, symbol: str, version: str, reason: str) -> None:
        self._refused.add(version)
        self._untold[version] = (symbol, reason)
        log.error("bundle refused", extra={"symbol": symbol, "version": version, "reason": reason})
        self._on_load(symbol, version, "refused")
        self._tell_refusals()

    def _tell_refusals(self) -> None:
        """Quarantine what was refused, and tell of it; what MongoDB does not take now, it takes later."""
        for version, (symbol, reason) in list(self._untold.items()):
            with _contained("refusal not told, trying again", symbol):
                registry.quarantine(self._database, version, reason)
                self._on_refusal(self._database, symbol, version, reason)
                del self._untold[version]

    def _report(self, service: str) -> None:
        """Report at once after a swap, and every five seconds; MongoDB's absence ends neither."""
        while not self._ending.is_set():
            self._changed.clear()
            try:
                with pymongo.timeout(REPORT_EVERY_SECONDS):
                    detail = {"models": self.versions(), "pid": os.getpid()}
                    report_health(self._database, service, self._instance, "healthy", detail)
                    forget_unseen(self._database, service)
            except PyMongoError as error:
                log.warning("health cannot be reported: %s", error)
            self._changed.wait(REPORT_EVERY_SECONDS)
        try:
            withdraw_health(self._database, service, self._instance)
        except PyMongoError as error:
            log.warning("health record stays behind: %s", error)


@contextlib.contextmanager
def _contained(what: str, symbol: str) -> Iterator[None]:
    """Log what nobody has foreseen and go on; MongoDB's absence is for who follows."""
    try:
        yield
    except PyMongoError:
        raise
    except Exception:
        log.exception(what, extra={"symbol": symbol})
