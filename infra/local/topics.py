"""Creates the broker's topics where they are missing: a step of its own under Compose."""

from __future__ import annotations

from cryptobot.settings import settings
from streaming.broker import ensure_topics

if __name__ == "__main__":
    ensure_topics(settings().kafka_bootstrap)
