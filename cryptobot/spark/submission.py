"""What a job is submitted with: it must be known before the driver's JVM starts."""

from __future__ import annotations

from pathlib import Path

PROPERTIES = Path(__file__).with_name("spark-defaults.conf")
"""What must be known before the driver's JVM starts; the submitter names this file to spark-submit."""

SUBMIT_CONF = dict(
    line.split(maxsplit=1)
    for line in PROPERTIES.read_text().splitlines()
    if line.strip() and not line.startswith("#")
)
"""The same for a job that is run as a plain program."""

JAVA_OPTIONS = "spark.driver.extraJavaOptions"
LARGE_ROWS = 500_000
"""Rows from which Java compiles twice (C2). Measured: it costs 1.5 s at 130,000 rows,
and saves 2 s at 1,000,000."""


def java_options(rows: int) -> str:
    """Return the value of :data:`JAVA_OPTIONS` for a local job that brings ``rows`` into MongoDB."""
    quick = SUBMIT_CONF[JAVA_OPTIONS]
    return quick.replace(" -XX:TieredStopAtLevel=1", "") if rows >= LARGE_ROWS else quick
