"""Where a local run keeps its state and logs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptobot.settings import ROOT

_SOCKET_FOLDER_LIMIT = 85  # a UNIX socket's address holds 107 bytes, its name here up to 21


@dataclass(frozen=True)
class Layout:
    """Folders of the local run: one supervisor, and the data of each market apart.

    Data of different markets never mix: a replay's candles are not the synthetic market's.
    """

    state: Path
    logs: Path
    market: str = ""

    @classmethod
    def of_environment(cls, market: str = "") -> Layout:
        """Return the folders of ``CRYPTOBOT_STATE_DIR`` and ``CRYPTOBOT_LOG_DIR``, or the usual ones."""
        state = Path(os.environ.get("CRYPTOBOT_STATE_DIR") or ROOT / ".cryptobot").resolve()
        logs = Path(os.environ.get("CRYPTOBOT_LOG_DIR") or ROOT / "logs").resolve()
        return cls(state, logs, market)

    @property
    def supervisor(self) -> Path:
        """Folder of the supervisor's configuration, process id and socket."""
        return self.state / "supervisor"

    @property
    def run_note(self) -> Path:
        """What is running: its market and settings. Absent when nothing is."""
        return self.supervisor / "run.json"

    @property
    def sockets(self) -> Path:
        """Folder of UNIX sockets; outside of the state where its path is too long for one."""
        if len(str(self.supervisor)) <= _SOCKET_FOLDER_LIMIT:
            return self.supervisor
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"cryptobot-{os.getuid()}-{digest}"

    @property
    def control_socket(self) -> Path:
        """The socket on which the supervisor takes orders."""
        return self.sockets / "supervisor.sock"

    @property
    def data(self) -> Path:
        """Folder of the market's data."""
        return self.state / "markets" / self.market

    @property
    def mongod(self) -> Path:
        """MongoDB's files."""
        return self.data / "mongod"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's files, of Airflow's metadata."""
        return self.data / "postgres"

    @property
    def kafka(self) -> Path:
        """Kafka's configuration and log segments."""
        return self.data / "kafka"

    @property
    def airflow(self) -> Path:
        """Airflow's home."""
        return self.data / "airflow"

    @property
    def docs(self) -> Path:
        """The quality reports (Data Docs)."""
        return self.data / "data_docs"

    @property
    def task_logs(self) -> Path:
        """Logs of Airflow's tasks."""
        return self.logs / "airflow"

    @property
    def sessions(self) -> Path:
        """The dashboard's sessions, encrypted."""
        return self.data / "dashboard" / "sessions"

    def log(self, service: str) -> Path:
        """Return the log file of ``service``."""
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Create every folder, readable by the owner alone where secrets or data are."""
        for folder in (self.supervisor, self.mongod, self.kafka, self.airflow, self.docs):
            folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
