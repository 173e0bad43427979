"""Is a service healthy? One question a service, asked at start and by ``make status``."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from kafka.errors import KafkaError
from pymongo.errors import PyMongoError

from cryptobot.settings import Settings
from cryptobot.storage.database import connect
from cryptobot.storage.health import live_instances
from infra.local import mongod
from streaming.broker import ensure_topics

Check = Callable[[], bool]
"""True when the service is healthy; an exception of ``NOT_YET`` means that it is not."""

NOT_YET = (OSError, ValueError, PyMongoError, KafkaError)

_TIMEOUT_SECONDS = 3.0


def http(url: str) -> Check:
    """Return a check that ``url`` answers with success."""
    return partial(_answers, url)


def _answers(url: str) -> bool:
    _get(url)
    return True


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own loopback
        content: bytes = answer.read()
        return content


def replica_set(uri: str) -> Check:
    """Return a check that the server at ``uri`` is a writable replica set (and that makes it one)."""
    return partial(mongod.initiate, urlsplit(uri).port or 27017)


def broker(bootstrap: str) -> Check:
    """Return a check that the broker answers and holds the product's topics (created where missing)."""

    def has_topics() -> bool:
        ensure_topics(bootstrap)
        return True

    return has_topics


def airflow(url: str, component: str) -> Check:
    """Return a check of one of Airflow's components, by the heart-beats its API server reports."""

    def healthy() -> bool:
        report = json.loads(_get(f"{url}/api/v2/monitor/health"))
        return bool(report[component]["status"] == "healthy")

    return healthy


def reports(settings: Settings, service: str) -> Check:
    """Return a check that every live instance of ``service`` says that it is healthy."""

    def healthy() -> bool:
        database = connect(settings)
        with database.client:
            instances = live_instances(database, service)
        return bool(instances) and all(one["state"] == "healthy" for one in instances)

    return healthy


def file(path: Path) -> Check:
    """Return a check that ``path`` exists."""
    return path.exists
