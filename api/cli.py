"""``cryptobot-api``: the API's workers on one port."""

from __future__ import annotations

import os
import signal
import sys
import tempfile

import uvicorn

from api.logs import LOG_CONFIG
from cryptobot.settings import settings

_STOP_WITHIN_SECONDS = 8
_ANSWER_WITHIN_SECONDS = 30
"""How long a worker may be silent before it is replaced: on a busy machine it imports for some time."""


def main() -> None:
    """Serve until told to stop; a worker that dies is replaced."""
    chosen = settings()
    # A single worker is this process, and uvicorn sends it the signal again when it has stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(prefix="cryptobot-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "api.app:create",
            factory=True,
            host=chosen.api_host,
            port=chosen.api_port,
            workers=chosen.api_workers,
            loop="uvloop",
            http="httptools",
            log_config=LOG_CONFIG,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_WITHIN_SECONDS,
            timeout_worker_healthcheck=_ANSWER_WITHIN_SECONDS,
        )


if __name__ == "__main__":
    main()
