"""How tasks reach MongoDB and Spark: by the providers' hooks and connections alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException

from cryptobot.settings import ROOT, Settings
from cryptobot.spark.submission import PROPERTIES, java_options

if TYPE_CHECKING:
    from pymongo.database import Database

MONGO = "mongo_default"
SPARK = "spark_default"


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


class SparkJobFailedError(AirflowException):
    """A program that was submitted to Spark failed; the message is the program's own last word."""


class SparkJob(SparkSubmitOperator):
    """Submits a program of the product; an argument that its template left empty is not passed."""

    def execute(self, context: Any) -> None:
        """Submit the program and wait for its end; fails when it fails."""
        self.application_args = [argument for argument in self.application_args or [] if argument]
        with _told_briefly():
            super().execute(context)


def spark_job(
    task_id: str, job: str, arguments: Sequence[str], conf: Mapping[str, str] | None = None, **operator: Any
) -> SparkJob:
    """Return the operator that submits ``spark_jobs/<job>.py`` to the connection's Spark master."""
    submission = _submission(job, "{{ mongo_uri() }}")
    submission["conf"] |= conf or {}
    return SparkJob(
        task_id=task_id,
        application=str(ROOT / "spark_jobs" / f"{job}.py"),
        application_args=[*arguments],
        **submission,
        **operator,
    )


def run_on_spark(program: Path, arguments: Sequence[str], *, task: Any) -> None:
    """Submit ``program`` from within ``task``, and wait for its end; raises when it fails.

    When the task is killed or runs out of time, so is the program.
    """
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    hook = SparkSubmitHook(application_args=[*arguments], **_submission(program.stem, mongo_uri()))
    task.on_kill = hook.on_kill
    with _told_briefly():
        hook.submit(str(program))


@contextlib.contextmanager
def _told_briefly() -> Iterator[None]:
    """Let a failed submission say why the program failed, rather than how it was called."""
    try:
        yield
    except AirflowException as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = [line for line in lines if " failed: " in line]
        raise SparkJobFailedError((said or lines or [repr(error)])[-1]) from error


def _submission(name: str, database: str) -> dict[str, Any]:
    """Return how every program is submitted: what Spark needs, and the database's address.

    That address reaches the program by its environment, never by its command line.
    """
    return {
        "conn_id": SPARK,
        "name": f"cryptobot.{name}",
        "properties_file": str(PROPERTIES),
        "conf": _deployment(),
        "jars": os.environ.get("CRYPTOBOT_SPARK_JARS") or None,
        "env_vars": {"CRYPTOBOT_MONGO_URI": database},
    }


def _deployment() -> dict[str, str]:
    """Return what differs from one Spark cluster to another, as the settings say."""
    from cryptobot.settings import settings

    configured = settings()
    return {
        "spark.driver.host": configured.spark_driver_host,
        "spark.driver.bindAddress": configured.spark_driver_host,
        "spark.driver.memory": configured.spark_driver_memory,
        "spark.executor.memory": configured.spark_executor_memory,
    }


def java_options_of(spans: str) -> str:
    """Return how Java compiles a job that reads ``spans``, which are in JSON: a long run thoroughly."""
    from cryptobot.market.span import load_spans

    asked = load_spans(spans)
    return java_options(sum(span.interval.candles_between(span.start_ms, span.end_ms) for span in asked))


MACROS = {"mongo_uri": mongo_uri, "java_options_of": java_options_of}
"""What the templates of :func:`spark_job` call; every DAG with a Spark job declares it."""
