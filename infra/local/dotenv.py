"""The ``.env`` file: the installation's secrets, made once and kept to its owner."""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from dotenv import dotenv_values

from cryptobot.settings import ROOT


def _fernet_key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _hex() -> str:
    return secrets.token_hex(32)


GENERATED: dict[str, Callable[[], str]] = {
    "CRYPTOBOT_ADMIN_USER": lambda: "admin",
    "CRYPTOBOT_ADMIN_PASSWORD": lambda: secrets.token_urlsafe(18),
    "CRYPTOBOT_TOKEN_KEY": _hex,
    "CRYPTOBOT_BUNDLE_KEY": _hex,
    "CRYPTOBOT_AIRFLOW_FERNET_KEY": _fernet_key,
    "CRYPTOBOT_AIRFLOW_JWT_SECRET": _hex,
    "CRYPTOBOT_AIRFLOW_SECRET_KEY": _hex,
    "CRYPTOBOT_AIRFLOW_DB_PASSWORD": _hex,
}
"""What an installation must have of its own, and how each is made."""


def path() -> Path:
    """Return where the file is: ``CRYPTOBOT_ENV_FILE``, or ``.env`` of the repository."""
    return Path(os.environ.get("CRYPTOBOT_ENV_FILE") or ROOT / ".env")


def complete(file: Path) -> dict[str, str]:
    """Return the values of ``file``, having written there what was missing of the secrets.

    The file is replaced in one step and readable by its owner alone; what a person wrote stays.
    """
    text = (
        file.read_text() if file.exists() else "# Secrets of this installation; keep the file to yourself.\n"
    )
    present = read(file)
    missing = [name for name in GENERATED if name not in present and not os.environ.get(name)]
    if missing:
        if not text.endswith("\n"):
            text += "\n"
        text += "".join(f"{name}={GENERATED[name]()}\n" for name in missing)
        partial = file.with_name(file.name + ".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        partial.replace(file)
    file.chmod(0o600)
    return read(file)


def read(file: Path) -> dict[str, str]:
    """Return the values of ``file`` that are not empty; none when there is no such file."""
    return {name: value for name, value in dotenv_values(file).items() if value} if file.exists() else {}
