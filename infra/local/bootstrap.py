"""Install what the local run needs before it can start: uv and the locked environment.

Standard library only, on any Python that a machine may have: it runs before there is an
environment. Whatever only the owner of the machine can install is named in one line.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / ".cryptobot" / "tools"
REQUIRED = {
    "java": "Java 17 or newer (Debian, Ubuntu: apt install openjdk-17-jre-headless)",
    "make": "make (Debian, Ubuntu: apt install make)",
    "git": "git (Debian, Ubuntu: apt install git)",
}
UV = "uv>=0.9,<1"


def main() -> None:
    """Entry point; exits 1 with one line when something is missing that it cannot install."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the machine's Python, not the environment's
        _fail(
            f"Python 3.11 or newer is needed and {sys.executable} is older; install one and set PYTHON to it"
        )
    for program, described in REQUIRED.items():
        if shutil.which(program) is None:
            _fail(f"{described} is needed and not on the PATH; install it and run again")
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _sync(_uv(), sys.argv[1:])


def _uv() -> str:
    """Return the path of uv: the machine's own, or one in a folder of ours, installed where missing."""
    own = TOOLS / "uv" / "bin" / "uv"
    for found in (shutil.which("uv"), own, Path.home() / ".local" / "bin" / "uv"):
        if found and os.access(found, os.X_OK):
            return str(found)
    print("installing uv", flush=True)
    # Into a folder: PEP 668 allows it, and it needs no virtual environment (Debian splits venv off).
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run([*pip, "--target", str(own.parent.parent), UV], capture_output=True, text=True)  # noqa: S603
    if run.returncode or not own.exists():
        said = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        _fail(
            f"uv could not be installed by pip ({said}); install pip (Debian, Ubuntu: "
            "apt install python3-pip), or uv itself (https://docs.astral.sh/uv), and run again"
        )
    return str(own)


def _sync(uv: str, options: list[str]) -> None:
    """Bring the environment to what uv.lock says; quiet when there is nothing to do.

    ``options`` are those of ``uv sync``: with ``--no-group notebook --inexact`` it installs what a run
    needs, and removes nothing.
    """
    command = [uv, "sync", "--frozen", *options]
    if subprocess.run([*command, "--check"], cwd=ROOT, capture_output=True).returncode == 0:  # noqa: S603
        return
    print("installing the locked environment (the first time: some minutes)", flush=True)
    if subprocess.run(command, cwd=ROOT).returncode:  # noqa: S603
        _fail("`uv sync --frozen` failed (see above); check the network and the disk and run again")


def _fail(message: str) -> None:
    sys.exit(f"cryptobot: {message}")


if __name__ == "__main__":
    main()
