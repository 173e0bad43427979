"""Where a local run keeps its state and logs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptobot.settings import ROOT

_SOCKET_PATH_LIMIT = 100  # a UNIX socket's address holds 107 bytes


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
    def socket(self) -> Path:
        """The supervisor's control socket; elsewhere when the state's path is too long for one."""
        usual = self.supervisor / "supervisor.sock"
        if len(str(usual)) <= _SOCKET_PATH_LIMIT:
            return usual
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"cryptobot-{os.getuid()}-{digest}.sock"

    @property
    def data(self) -> Path:
        """Folder of the market's data."""
        return self.state / "markets" / self.market

    @property
    def mongod(self) -> Path:
        """MongoDB's files."""
        return self.data / "mongod"

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

    def log(self, service: str) -> Path:
        """Return the log file of ``service``."""
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Create every folder, readable by the owner alone where secrets or data are."""
        for folder in (self.supervisor, self.mongod, self.kafka, self.airflow, self.docs):
            folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
