"""A standalone Spark cluster on loopback: a master and its workers, a process each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyspark

from tests.servers import free_port, running

SPARK_CLASS = str(Path(pyspark.__path__[0]) / "bin" / "spark-class")
DEPLOY = "org.apache.spark.deploy"


@dataclass(frozen=True)
class Cluster:
    """A running cluster: where its master takes applications, and where each process tells its state."""

    host: str
    port: int
    status: str
    workers: tuple[str, ...]

    def applications(self) -> list[dict[str, Any]]:
        """Return the applications that ended on the cluster."""
        return list(_state(self.status)["completedapps"])

    def worked_for(self, application: str) -> list[bool]:
        """Tell of each worker whether it ran an executor of ``application``."""
        return [
            any(executor["appid"] == application for executor in _state(worker)["finishedexecutors"])
            for worker in self.workers
        ]


@contextlib.contextmanager
def running_cluster(folder: Path, *, workers: int) -> Iterator[Cluster]:
    """Run a master and ``workers`` workers of one core each, until the block ends."""
    host, port, status = "127.0.0.1", free_port(), free_port()
    environment = {
        "SPARK_LOCAL_IP": host,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC",
    }
    address = f"http://{host}:{status}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            running(
                [
                    SPARK_CLASS, f"{DEPLOY}.master.Master",
                    "--host", host, "--port", str(port), "--webui-port", str(status),
                ],
                ready=lambda: _state(address)["status"] == "ALIVE",
                log=folder / "master.log",
                env=environment,
            )
        )  # fmt: skip
        started = []
        for number in range(workers):
            own = free_port()
            started.append(f"http://{host}:{own}")
            stack.enter_context(
                running(
                    [
                        SPARK_CLASS, f"{DEPLOY}.worker.Worker",
                        "--host", host, "--webui-port", str(own), "--cores", "1", "--memory", "512m",
                        "--work-dir", str(folder / f"worker-{number}"), f"spark://{host}:{port}",
                    ],
                    ready=lambda joined=number + 1: _state(address)["aliveworkers"] == joined,
                    log=folder / f"worker-{number}.log",
                    env=environment,
                )
            )  # fmt: skip
        yield Cluster(host, port, address, tuple(started))


def _state(address: str) -> dict[str, Any]:
    answer = httpx.get(f"{address}/json/", timeout=5)
    answer.raise_for_status()
    state: dict[str, Any] = answer.json()
    return state
