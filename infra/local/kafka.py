"""The Kafka broker: one KRaft node on loopback, no ZooKeeper."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from infra.local.errors import LocalRunError
from infra.local.jars import KAFKA, KAFKA_LOGGING

_LOG4J = """\
Configuration:
  name: kafka
  Appenders:
    Console:
      name: stdout
      PatternLayout:
        pattern: "%d{ISO8601} %-5p %c{1}: %m%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        ref: stdout
    Logger:
      - name: kafka.server
        level: INFO
"""


def configure(
    folder: Path, port: int, controller_port: int, proxied: Mapping[str, tuple[int, int]] | None = None
) -> Path:
    """Write the broker's properties below ``folder`` and format its storage; return the file.

    ``proxied`` names further listeners, each with its port and the port at which its clients are told
    to connect: a proxy's. Idempotent: storage that was formatted before is left as it is. Raises
    :class:`LocalRunError` when it cannot be formatted.
    """
    proxied = {name.upper(): ports for name, ports in (proxied or {}).items()}
    listening = {"PLAINTEXT": port, **{name: own for name, (own, _) in proxied.items()}}
    advertised = {"PLAINTEXT": port, **{name: told for name, (_, told) in proxied.items()}}
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    properties = folder / "server.properties"
    properties.write_text(
        "\n".join(
            [
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@127.0.0.1:{controller_port}",
                f"listeners={_addresses(listening | {'CONTROLLER': controller_port})}",
                f"advertised.listeners={_addresses(advertised)}",
                "controller.listener.names=CONTROLLER",
                "inter.broker.listener.name=PLAINTEXT",
                "listener.security.protocol.map="
                + ",".join(f"{name}:PLAINTEXT" for name in ("CONTROLLER", *listening)),
                f"log.dirs={data}",
                "num.partitions=3",
                "offsets.topic.replication.factor=1",
                "offsets.topic.num.partitions=8",
                "transaction.state.log.replication.factor=1",
                "transaction.state.log.min.isr=1",
                "transaction.state.log.num.partitions=8",
                "group.initial.rebalance.delay.ms=0",
                "log.retention.hours=24",
                "log.retention.bytes=1073741824",
                "log.segment.bytes=134217728",
                "auto.create.topics.enable=false",
            ]
        )
        + "\n"
    )
    (folder / "log4j2.yaml").write_text(_LOG4J)
    if not (data / "meta.properties").exists():
        _format(folder, properties)
    return properties


def command(folder: Path) -> list[str]:
    """Return the command line of the broker that :func:`configure` prepared in ``folder``."""
    return [*_java(folder), "kafka.Kafka", str(folder / "server.properties")]


def cluster_id() -> str:
    """Return a new id for a cluster, as Kafka makes them: none begins with a dash, which is an option's."""
    while True:
        made = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _format(folder: Path, properties: Path) -> None:
    format_storage = [
        *_java(folder), "kafka.tools.StorageTool", "format",
        "--cluster-id", cluster_id(), "--config", str(properties), "--ignore-formatted",
    ]  # fmt: skip
    done = subprocess.run(format_storage, capture_output=True, text=True, timeout=120)  # noqa: S603
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it gave no reason"]
        raise LocalRunError(
            f"Kafka cannot format its storage below {folder}: {said[-1]}; "
            "see that the disk has room and the folder may be written, then run again"
        )


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _java(folder: Path) -> list[str]:
    return [
        shutil.which("java") or "java",
        "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}",
        "-cp", f"{KAFKA.fetch()}/*:{KAFKA_LOGGING.fetch()}/*",
    ]  # fmt: skip
