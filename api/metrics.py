"""Prometheus metrics, added up over the workers of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("cryptobot_api_requests", "Requests answered", ["method", "path", "status"])
SECONDS = Histogram(
    "cryptobot_api_request_seconds",
    "Time to answer",
    ["path"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8),
)
RELOADS = Counter("cryptobot_api_model_reloads", "Bundles loaded or refused", ["symbol", "outcome"])
SERVED = Gauge(
    "cryptobot_api_model_served",
    "When the version that a worker serves was loaded (Unix time)",
    ["symbol", "version"],
    multiprocess_mode="livemax",
)


def exposition() -> bytes:
    """Return the metrics of all workers (or of this process, where it is the only one)."""
    registry = CollectorRegistry()
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        for metric in (REQUESTS, SECONDS, RELOADS, SERVED):
            registry.register(metric)
    else:
        forget_dead_workers(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_dead_workers(folder: Path) -> None:
    """Remove what workers that are gone said of their present; their counts stay."""
    for file in folder.glob("gauge_live*.db"):
        if not Path(f"/proc/{file.stem.rpartition('_')[2]}").exists():
            file.unlink(missing_ok=True)
