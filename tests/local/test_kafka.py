"""The broker's storage: formatted under whatever id, or refused in one sentence."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from infra.local import kafka
from infra.local.errors import LocalRunError
from tests.servers import free_port

DASHED = uuid.UUID(bytes=b"\xfb" + bytes(15))
"""Its text begins with a dash, as that of one id in 64 does."""


def test_no_cluster_id_begins_like_an_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sound = uuid.UUID(int=7)
    drawn = iter([DASHED, DASHED, sound])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))
    kafka.configure(tmp_path, free_port(), free_port())
    written = (tmp_path / "data" / "meta.properties").read_text()
    assert "cluster.id=AAAAAAAAAAAAAAAAAAAABw" in written.replace("\\", "")


def test_what_kafka_says_against_the_storage_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(LocalRunError, match=f"Kafka cannot format its storage below {tmp_path}: .+; see"):
        kafka.configure(tmp_path, free_port(), free_port())
