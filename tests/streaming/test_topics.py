from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from cryptobot.market.topics import DEAD_LETTER, PARTITIONS, TRADES
from infra.local import kafka
from streaming.broker import ensure_topics
from tests.servers import free_port, running

WEEK_MS = 7 * 86_400_000


@pytest.mark.slow
def test_topics_are_made_as_declared_and_dead_letters_are_kept_for_a_week(
    tmp_path: Path,
) -> None:
    port = free_port()
    bootstrap = f"127.0.0.1:{port}"
    kafka.configure(tmp_path, port, free_port())

    def ready() -> bool:
        KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=1_000).close()
        return True

    with running(kafka.command(tmp_path), ready=ready, log=tmp_path / "log"):
        ensure_topics(bootstrap)
        ensure_topics(bootstrap)  # again: nothing is missing
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        try:
            made = admin.describe_topics(list(PARTITIONS))
            assert {topic["name"]: len(topic["partitions"]) for topic in made} == PARTITIONS
            asked = [ConfigResource("topic", name, ["retention.ms"]) for name in (DEAD_LETTER, TRADES)]
            found = admin.describe_configs(asked, config_filter="all")["topic"]
            kept = {name: int(configs["retention.ms"]["value"]) for name, configs in found.items()}
            assert kept[DEAD_LETTER] == WEEK_MS > kept[TRADES]
        finally:
            admin.close()
