"""How tasks reach MongoDB and Spark: by the providers' hooks and connections alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

from cryptobot.settings import ROOT, Settings

if TYPE_CHECKING:
    from pymongo.database import Database

MONGO = "mongo_default"
SPARK = "spark_default"
KAFKA = "kafka_default"


@contextlib.contextmanager
def product_database() -> Iterator[Database[dict[str, Any]]]:
    """Yield the product's database through the MongoDB provider's hook."""
    from airflow.providers.mongo.hooks.mongo import MongoHook

    with MongoHook(MONGO) as hook:
        yield hook.get_conn().get_database(hook.connection.schema)


def mongo_uri() -> str:
    """Return the address that the connection ``mongo_default`` stands for, options included."""
    from airflow.providers.mongo.hooks.mongo import MongoHook

    hook = MongoHook(MONGO)
    options = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in hook.extras.items()
        if name != "tz_aware"
    }
    server = hook.uri.removesuffix(f"/{hook.connection.schema}")
    return f"{server}/?{urlencode(options)}"


def product_settings() -> Settings:
    """Return the product's settings with MongoDB's address as Airflow's connection gives it."""
    from pydantic import SecretStr

    return Settings(mongo_uri=SecretStr(mongo_uri()))


def spark_job(task_id: str, job: str, arguments: Sequence[str], **operator: Any) -> SparkSubmitOperator:
    """Return the operator that submits ``spark_jobs/<job>.py`` to the connection's Spark master.

    The job's database address reaches it by its environment, never by its command line.
    """
    return SparkSubmitOperator(
        task_id=task_id,
        conn_id=SPARK,
        application=str(ROOT / "spark_jobs" / f"{job}.py"),
        name=f"cryptobot.{job}",
        application_args=[*arguments],
        properties_file=str(ROOT / "cryptobot" / "spark" / "spark-defaults.conf"),
        jars=os.environ.get("CRYPTOBOT_SPARK_JARS") or None,
        env_vars={"CRYPTOBOT_MONGO_URI": "{{ mongo_uri() }}"},
        **operator,
    )


MACROS = {"mongo_uri": mongo_uri}
"""What the templates of :func:`spark_job` call; every DAG with a Spark job declares it."""
