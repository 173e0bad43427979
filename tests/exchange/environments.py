"""Python environments of their own, for programs whose requirements are not the product's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local import jars


class EnvironmentUnavailableError(RuntimeError):
    """An environment could not be made: no ``uv``, no package index, or nothing that fits."""


def interpreter(name: str, requirements: Sequence[str]) -> Path:
    """Return the python of the environment ``name`` that holds ``requirements``, made once a machine."""
    folder = jars.CACHE / "envs" / name
    python, installed = folder / "bin" / "python", folder / "installed"
    if installed.exists() and installed.read_text() == str(tuple(requirements)):
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise EnvironmentUnavailableError(f"uv is not on the PATH; it makes the environment of {name}")
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder],
        [uv, "pip", "install", "--quiet", "--python", python, *requirements],
    ):
        made = subprocess.run(command, capture_output=True, text=True, timeout=1_200, check=False)
        if made.returncode:
            raise EnvironmentUnavailableError(f"the environment of {name} cannot be made: {made.stderr}")
    installed.write_text(str(tuple(requirements)))
    return python
