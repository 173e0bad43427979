"""Candles by REST as Arrow batches, by clients that the worker's tasks share.

Spark imports a source in several short processes that only plan; what reads is imported by the
workers alone, for planning is time in which nothing else goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from cryptobot.exchange.errors import ExchangeError, KlinesUnavailableError
from cryptobot.market.span import Span
from spark_jobs.sources.columns import ROWS_PER_BATCH

if TYPE_CHECKING:
    import pyarrow as pa

    from cryptobot.exchange.rest import RestClient, Row

REST = "rest"


@lru_cache(maxsize=4)
def client(address: str, weight_limit: int) -> RestClient:
    """Return this worker's client: its connections and what it knows of the weight outlive a task."""
    from cryptobot.exchange.rest import RestClient

    return RestClient(address, weight_limit=weight_limit)


def candle_batches(exchange: RestClient, span: Span, now: datetime) -> Iterator[pa.RecordBatch]:
    """Yield the span's closed candles; no open time is in two batches."""
    from cryptobot.exchange.candle_columns import from_rows

    for rows in gathered(exchange.klines(span, now)):
        yield from_rows(span.symbol, span.interval, rows, REST, lambda row: json.dumps(row))


def recorded_part(exchange: RestClient, span: Span) -> Span | None:
    """Return ``span`` from the first candle that the exchange has in it to the last, None without one."""
    try:
        return exchange.record(span)
    except ExchangeError as error:
        start, end = span.start.isoformat(), span.end.isoformat()
        raise KlinesUnavailableError(span.symbol, span.interval, start, end, error) from error


def gathered(pages: Iterable[list[Row]], most: int = ROWS_PER_BATCH) -> Iterator[list[Row]]:
    """Yield the rows of ``pages`` in lists of whole pages, each up to ``most`` rows where it can be."""
    kept: list[list[Row]] = []
    count = 0
    for page in pages:
        if kept and count + len(page) > most:
            yield list(chain.from_iterable(kept))
            kept, count = [], 0
        kept.append(page)
        count += len(page)
    if kept:
        yield list(chain.from_iterable(kept))
