"""Rows that are refused, as the documents that keep them with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.market.instant import from_ms
from cryptobot.storage.database import Document
from spark_jobs.cleaning import FIELDS

_TIMES = ("open_time", "close_time")


def quarantine_entries(rows: DataFrame) -> Iterator[Document]:
    """Yield the refused of cleaned rows as documents of ``quarantine``, a partition at a time.

    The key is that of the candle with what the row says: the same row again is the same entry.
    """
    refused = rows.where(F.col("refused").isNotNull())
    content = ("symbol", "interval", *FIELDS, "repeat", "refused", "raw")
    entries = refused.select(
        F.concat_ws("|", "_id", F.lower(F.hex(F.xxhash64(*content)))).alias("_id"),
        "symbol",
        "interval",
        F.unix_millis("open_time").alias("open_time"),
        F.col("refused").alias("reason"),
        F.struct(
            *(F.unix_millis(name).alias(name) for name in _TIMES),
            *(name for name in FIELDS if name not in _TIMES),
        ).alias("fields"),
        "raw",
        "source",
    )
    for row in entries.toLocalIterator():
        document = row.asDict(recursive=True)
        fields = {name: value for name, value in document["fields"].items() if value is not None}
        fields |= {name: from_ms(fields[name]) for name in _TIMES if name in fields}
        opened = fields.get("open_time")
        known = {name: value for name, value in document.items() if value is not None}
        yield {**known, "open_time": opened, "fields": fields}
