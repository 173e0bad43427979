"""``cryptobot-dashboard``: serve the dashboard until asked to stop."""

from __future__ import annotations

import logging

import uvicorn

from cryptobot.settings import settings
from dashboard.server import build

_STOP_WITHIN_SECONDS = 5


def main() -> None:
    """Serve on the configured address; SIGTERM closes live connections and ends the process."""
    configured = settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.run(
        build(configured),
        host=configured.dashboard_host,
        port=configured.dashboard_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_WITHIN_SECONDS,
    )


if __name__ == "__main__":
    main()
