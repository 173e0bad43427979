"""The whole product as its users run it, beside any other run: own ports, own state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo import MongoClient
from pymongo.database import Database

from cryptobot.settings import ROOT
from infra.local import mongod
from tests.servers import free_port

COMMAND = Path(sys.executable).parent / "cryptobot"
RUN_LIMIT_S = 900


@dataclass(frozen=True)
class Product:
    """An installation below ``folder`` and the environment that selects it."""

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def below(cls, folder: Path, **environment: str) -> Product:
        """Return an installation on free ports that keeps all it writes below ``folder``."""
        ports = {name: str(free_port()) for name in ("API", "DASHBOARD", "EXCHANGE", "AIRFLOW")}
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRYPTOBOT_", "AIRFLOW", "REPLAY_", "EXCHANGE"))
        }
        return cls(
            folder,
            {
                **clean,
                **{f"CRYPTOBOT_{name}_PORT": port for name, port in ports.items()},
                "CRYPTOBOT_MONGO_URI": mongod.uri(free_port()),
                "CRYPTOBOT_KAFKA_BOOTSTRAP": f"127.0.0.1:{_free_ports(2)}",
                "CRYPTOBOT_METRICS_PORT": str(_free_ports(4)),
                "CRYPTOBOT_STATE_DIR": str(folder / "state"),
                "CRYPTOBOT_LOG_DIR": str(folder / "logs"),
                "CRYPTOBOT_ENV_FILE": str(folder / "env"),
                **environment,
            },
        )

    def command(self, *arguments: str, limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run ``cryptobot`` with ``arguments`` and return what it printed and its exit code."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=dict(self.environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
        )

    def start(self) -> subprocess.Popen[str]:
        """Start ``cryptobot run`` and return it while it runs."""
        return subprocess.Popen(
            [COMMAND, "run"],
            env=dict(self.environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def api(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self.environment['CRYPTOBOT_API_PORT']}"

    @property
    def dashboard(self) -> str:
        """Address of the dashboard."""
        return f"http://127.0.0.1:{self.environment['CRYPTOBOT_DASHBOARD_PORT']}"

    @property
    def airflow(self) -> str:
        """Address of Airflow."""
        return f"http://127.0.0.1:{self.environment['CRYPTOBOT_AIRFLOW_PORT']}"

    def database(self) -> Database[dict[str, Any]]:
        """Return the product's database."""
        return MongoClient[dict[str, Any]](self.environment["CRYPTOBOT_MONGO_URI"], tz_aware=True)[
            "cryptobot"
        ]

    def log_in(self) -> tuple[str, str]:
        """Return the administrator's name and password, as ``.env`` has them."""
        written = dict(
            line.split("=", 1) for line in (self.folder / "env").read_text().splitlines() if "=" in line
        )
        return written["CRYPTOBOT_ADMIN_USER"], written["CRYPTOBOT_ADMIN_PASSWORD"]

    def client(self) -> httpx.Client:
        """Return a client of the API with the administrator's token."""
        user, password = self.log_in()
        answer = httpx.post(
            f"{self.api}/v1/auth/token", data={"username": user, "password": password}, timeout=30
        )
        answer.raise_for_status()
        token = answer.json()["access_token"]
        return httpx.Client(base_url=self.api, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def processes(self) -> list[str]:
        """Return the command lines of all running processes that belong to this installation."""
        mark = str(self.folder / "state")
        found = []
        for process in psutil.process_iter():
            try:
                if mark in process.environ().values() or mark in " ".join(process.cmdline()):
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


def _free_ports(count: int) -> int:
    """Return the first of so many neighbouring free ports: Kafka takes two, the daemons' metrics four."""
    for _ in range(100):
        port = free_port()
        taken = {one.laddr.port for one in psutil.net_connections("tcp")}
        if port < 65_000 and taken.isdisjoint(range(port + 1, port + count)):
            return port
    raise RuntimeError(f"no {count} neighbouring ports of loopback are free")
