"""One local Spark for the tests that need no job of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from cryptobot.settings import Settings
from cryptobot.spark.session import spark_session
from infra.local.jars import spark_jars


@pytest.fixture(scope="package")
def spark() -> Iterator[SparkSession]:
    """A session with the MongoDB connector."""
    os.environ["CRYPTOBOT_SPARK_JARS"] = ",".join(map(str, spark_jars()))
    session = spark_session("tests", Settings(_env_file=None))
    yield session
    session.stop()
    del os.environ["CRYPTOBOT_SPARK_JARS"]
