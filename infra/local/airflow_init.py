"""Bring Airflow's metadata database up to date, with the administrator's account; then note it.

Run as ``python -m infra.local.airflow_init`` in Airflow's environment. All of it in one process:
each of Airflow's own commands takes seconds to import what it needs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from importlib.metadata import version
from pathlib import Path


def _wanted(user: str, password: str) -> str:
    """Return what ``initialized`` must say for there to be nothing to do; reveals no secret."""
    account = hmac.new(
        os.environ["AIRFLOW__API__SECRET_KEY"].encode(), f"{user}:{password}".encode(), hashlib.sha256
    ).hexdigest()
    versions = (version("apache-airflow-core"), version("apache-airflow-providers-fab"))
    return " ".join((*versions, account))


def main() -> None:
    """Entry point; quick when there is nothing to do."""
    note = Path(os.environ["AIRFLOW_HOME"]) / "initialized"
    user, password = os.environ["CRYPTOBOT_ADMIN_USER"], os.environ["CRYPTOBOT_ADMIN_PASSWORD"]
    wanted = _wanted(user, password)
    if note.exists() and note.read_text() == wanted:
        return
    note.unlink(missing_ok=True)
    _migrate()
    _set_administrator(user, password)
    note.write_text(wanted)


def _migrate() -> None:
    from airflow.utils import db

    db.initdb()


def _set_administrator(user: str, password: str) -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        security = builder.sm
        if known := security.find_user(username=user):
            security.reset_password(known.id, password)
        elif not security.add_user(
            user, "CryptoBot", "Administrator", f"{user}@localhost", security.find_role("Admin"), password
        ):
            raise RuntimeError(f"Airflow did not create the account {user}; its log says why")


if __name__ == "__main__":
    main()
