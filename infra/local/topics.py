"""The broker's topics, created where they are missing."""

from __future__ import annotations

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from cryptobot.market.topics import CONFIGS, PARTITIONS
from cryptobot.settings import settings

_TIMEOUT_MS = 2_000


def create(bootstrap: str) -> None:
    """Create what is missing of the product's topics; raises ``KafkaError`` while there is no broker."""
    admin = KafkaAdminClient(
        bootstrap_servers=bootstrap, bootstrap_timeout_ms=_TIMEOUT_MS, request_timeout_ms=_TIMEOUT_MS
    )
    try:
        if missing := set(PARTITIONS) - set(admin.list_topics()):
            admin.create_topics(
                [
                    NewTopic(name, PARTITIONS[name], 1, topic_configs=CONFIGS.get(name))
                    for name in sorted(missing)
                ]
            )
    except TopicAlreadyExistsError:
        return  # another process was faster
    finally:
        admin.close()


if __name__ == "__main__":
    create(settings().kafka_bootstrap)
