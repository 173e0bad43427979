"""One place for how Spark is run: every job takes its session and its MongoDB options here."""

from __future__ import annotations

import os
import sys
from typing import Any

from pyspark.sql import SparkSession

from cryptobot.settings import Settings
from cryptobot.spark.submission import SUBMIT_CONF

_SESSION_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
}


def spark_session(app_name: str, settings: Settings) -> SparkSession:
    """Return the session of a job: UTC, Arrow, workers on this process's own Python.

    Under ``spark-submit`` master, jars and memory are the submitter's. Run as a plain program,
    the job is local, with the jars named in ``CRYPTOBOT_SPARK_JARS`` (comma separated). No
    secret becomes Spark configuration, because that is readable in the driver's command line:
    MongoDB's address goes into each read and write by :func:`mongo_options`.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.Builder().appName(f"cryptobot {app_name} ({settings.mongo_database})")
    conf: dict[str, bool | float | int | str | None] = {**_SESSION_CONF}
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # no spark-submit started this process
        conf |= SUBMIT_CONF | {"spark.master": "local[2]"}
        if jars := os.environ.get("CRYPTOBOT_SPARK_JARS"):
            conf["spark.jars"] = jars
    return builder.config(map=conf).getOrCreate()


def mongo_options(settings: Settings, collection: str, **more: str) -> dict[str, Any]:
    """Return the options of ``format("mongodb")`` for reading or writing ``collection``.

    Writes wait for the majority, as everywhere in the product.
    """
    return {
        "connection.uri": settings.mongo_uri.get_secret_value(),
        "database": settings.mongo_database,
        "collection": collection,
        "writeConcern.w": "majority",
        **more,
    }
