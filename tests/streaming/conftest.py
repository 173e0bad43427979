"""The stream services as processes of their own, on real servers and a symbol of the test's own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from cryptobot.settings import Settings
from tests.servers import running
from tests.streaming.feed import Feed, feeding

Starter = Callable[[str], AbstractContextManager[subprocess.Popen[bytes]]]


@pytest.fixture
def feed() -> Iterator[Feed]:
    """A WebSocket in place of the exchange's, which sends what the test says."""
    with feeding() as made:
        yield made


@pytest.fixture
def symbol() -> str:
    """A symbol that no other test uses: the broker's topics are shared by all."""
    return f"T{secrets.token_hex(5).upper()}USDT"


@pytest.fixture
def live_settings(app_settings: Settings, kafka_bootstrap: str, feed: Feed, symbol: str) -> Settings:
    """Settings of a live path from the feed to the test's own database."""
    return app_settings.model_copy(
        update={
            "kafka_bootstrap": kafka_bootstrap,
            "stream_url": feed.url,
            "rest_url": feed.rest_url,
            "stream_silence_seconds": 3_600,
            "symbols": (symbol,),
            "intervals": ("1m",),
            "signal_interval": "1m",
        }
    )


@pytest.fixture
def start(live_settings: Settings, tmp_path: Path) -> Starter:
    """Run ``streaming.<name>`` as a process until the block ends."""
    return starter(live_settings, tmp_path)


@pytest.fixture
def silent_start(live_settings: Settings, tmp_path: Path) -> Starter:
    """Run a service that takes a connection for dead after two seconds without a frame."""
    return starter(live_settings.model_copy(update={"stream_silence_seconds": 2}), tmp_path)


def starter(settings: Settings, folder: Path) -> Starter:
    """Return what runs the services with ``settings``, their logs in ``folder``."""

    @contextmanager
    def start(name: str) -> Iterator[subprocess.Popen[bytes]]:
        log = folder / f"{name}-{secrets.token_hex(3)}.log"
        code = f"from streaming.{name} import main; main()"
        with running(
            [sys.executable, "-c", code],
            ready=lambda: b"INFO" in log.read_bytes(),
            log=log,
            env=environment(settings),
        ) as process:
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0, log.read_text()

    return start


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that makes a process read the same settings."""
    return {
        "CRYPTOBOT_ENV_FILE": os.devnull,
        "CRYPTOBOT_MONGO_URI": settings.mongo_uri.get_secret_value(),
        "CRYPTOBOT_MONGO_DATABASE": settings.mongo_database,
        "CRYPTOBOT_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CRYPTOBOT_STREAM_URL": settings.stream_url,
        "CRYPTOBOT_REST_URL": settings.rest_url,
        "CRYPTOBOT_STREAM_SILENCE_SECONDS": str(settings.stream_silence_seconds),
        "CRYPTOBOT_SYMBOLS": ",".join(settings.symbols),
        "CRYPTOBOT_INTERVALS": ",".join(settings.intervals),
        "CRYPTOBOT_SIGNAL_INTERVAL": settings.signal_interval,
        "CRYPTOBOT_METRICS_PORT": str(settings.metrics_port),
        "CRYPTOBOT_BUNDLE_KEY": settings.bundle_key.get_secret_value(),
        "CRYPTOBOT_ALERT_TARGETS": json.dumps(
            {
                name: {"url": target.url.get_secret_value(), "min_severity": target.min_severity}
                for name, target in settings.alert_targets.items()
            }
        ),
    }
