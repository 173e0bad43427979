"""Java archives that no Python wheel carries, fetched once from Maven Central.

Spark's own resolution at submit time also asks a host that is not reachable everywhere,
and waits; so the Ivy that PySpark ships fetches them into a folder beforehand.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalRunError

CACHE = Path(os.environ.get("CRYPTOBOT_CACHE_DIR") or Path.home() / ".cache" / "cryptobot")


class JarsUnavailableError(LocalRunError):
    """Maven Central could not be reached, or does not hold what was asked for."""


@dataclass(frozen=True)
class JarSet:
    """A Maven artifact with all it depends on, kept as one folder of jars."""

    group: str
    artifact: str
    version: str
    configuration: str = "default"

    @property
    def folder(self) -> Path:
        """Where the jars are, or will be."""
        return CACHE / "jars" / f"{self.artifact}-{self.version}"

    def fetch(self) -> Path:
        """Return the folder of jars, fetching them first where they are missing.

        Raises
        ------
        JarsUnavailableError
            When the artifact cannot be had; nothing half fetched stays.
        """
        if self.folder.is_dir():
            return self.folder
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.folder.is_dir():
                self._retrieve()
        return self.folder

    def _retrieve(self) -> None:
        partial = self.folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        java = shutil.which("java") or "java"
        command = [
            java, "-jar", str(_ivy()),
            "-cache", str(CACHE / "ivy"),
            "-dependency", self.group, self.artifact, self.version,
            "-confs", self.configuration,
            "-types", "jar", "bundle",
            "-retrieve", f"{partial}/[artifact]-[revision].[ext]",
        ]  # fmt: skip
        run = subprocess.run(command, capture_output=True, text=True, timeout=900)  # noqa: S603
        if run.returncode or not any(partial.glob(f"{self.artifact}-{self.version}.*")):
            shutil.rmtree(partial, ignore_errors=True)
            last = (run.stderr or run.stdout).strip().splitlines()[-1:] or ["no output"]
            raise JarsUnavailableError(
                f"{self.group}:{self.artifact}:{self.version} could not be fetched from Maven "
                f"Central ({last[0]}); check the network and run again"
            )
        partial.rename(self.folder)


def _ivy() -> Path:
    import pyspark

    return next(Path(pyspark.__path__[0]).glob("jars/ivy-*.jar"))


KAFKA = JarSet("org.apache.kafka", "kafka_2.13", "4.2.2")
KAFKA_LOGGING = JarSet("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5")
"""What takes Kafka's messages to the log; the broker's own dependencies leave it to who runs it."""

SPARK_MONGO = JarSet("org.mongodb.spark", "mongo-spark-connector_2.13", "10.5.0")
MONGO_DRIVER = JarSet("org.mongodb", "mongodb-driver-sync", "5.14.0")
"""In place of the driver that the connector brings, 5.1: this one encodes text without a call a character,
which takes a sixth of the processor time of a job's JVM."""

SPARK_KAFKA = JarSet("org.apache.spark", "spark-sql-kafka-0-10_2.13", "4.2.0")


def spark_jars() -> list[Path]:
    """Return the jars that Spark jobs need beside Spark's own, fetched where missing."""
    connector = SPARK_MONGO.fetch().glob(f"{SPARK_MONGO.artifact}-*.jar")
    return sorted([*connector, *MONGO_DRIVER.fetch().glob("*.jar")])


if __name__ == "__main__":
    spark_jars()
