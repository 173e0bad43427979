"""``mlflow models serve`` of a forest, with two workers, from an environment of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import joblib
import psutil
from sklearn.ensemble import RandomForestClassifier

from benchmarks.programs import watch
from tests.exchange.environments import interpreter
from tests.servers import free_port, running

VERSION = "3.17.2"
NAME = f"mlflow {VERSION}"
PATH = "/invocations"
_SCRIPT = Path(__file__).with_name("mlflow_model.py")


@contextlib.contextmanager
def running_mlflow(
    forest: RandomForestClassifier, workers: int
) -> Iterator[tuple[int, list[psutil.Process]]]:
    """Serve ``forest``, the very one, until the block ends; the value is the port, and the processes.

    Raises ``EnvironmentUnavailableError`` where mlflow cannot be installed.
    """
    same = (f"{name}=={version(name)}" for name in ("numpy", "scikit-learn"))
    python = interpreter("mlflow", (f"mlflow=={VERSION}", *same))
    with tempfile.TemporaryDirectory(prefix="cryptobot-mlflow-") as name:
        folder, port = Path(name), free_port()
        joblib.dump(forest, folder / "forest")
        env = {
            "HOME": str(folder),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        watch([str(python), str(_SCRIPT), str(folder / "forest"), str(folder / "model")], env)
        command = [
            str(python.with_name("mlflow")), "models", "serve", "--model-uri", str(folder / "model"),
            "--env-manager", "local", "--workers", str(workers), "--host", "127.0.0.1", "--port", str(port),
        ]  # fmt: skip
        with running(
            command, ready=lambda: _listens(port), log=folder / "log", env=env, cwd=folder
        ) as process:
            yield port, psutil.Process(process.pid).children(recursive=True)


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True
