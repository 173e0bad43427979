"""Spark source ``binance``: closed candles, or aggregate trades, by the exchange's REST interface.

``spark.read.format("binance")`` takes ``address``; ``symbols`` and ``intervals`` (comma separated)
with ``start`` and ``end`` (ISO, half open), or ``spans`` (JSON of
:func:`cryptobot.market.span.dump_spans`); ``kind`` (``klines``, ``aggTrades``); and, asked of the
exchange where they are absent, ``now`` (what has not closed by then is left out) and
``weight_limit``. Spans are cut into partitions of time; each is read with several requests under
way and handed over as Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from cryptobot.exchange.windows import cut
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from spark_jobs.sources import columns
from spark_jobs.sources.options import KLINES, Asked, kind_of, read_options
from spark_jobs.sources.rest_pages import candle_batches, client

CANDLES_PER_PARTITION = 20_000


@dataclass
class SpanPartition(InputPartition):
    """A piece of one span, small enough for one task."""

    span: Span


class KlinesReader(DataSourceReader):
    """Reads closed candles; all of its tasks pace themselves by the shared weight."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def partitions(self) -> list[InputPartition]:
        """Return pieces of time of all spans."""
        return [piece for span in self._asked.spans for piece in self.pieces(span)]

    def pieces(self, span: Span) -> list[InputPartition]:
        """Return pieces of time of one span."""
        return [SpanPartition(piece) for piece in cut(span, CANDLES_PER_PARTITION)]

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """Yield Arrow batches of some pages each."""
        if not isinstance(partition, SpanPartition):
            raise TypeError(f"not a partition of this source: {partition!r}")
        exchange = client(self._asked.address, self._asked.weight_limit)
        return candle_batches(exchange, partition.span, self._asked.now)


class AggTradesReader(DataSourceReader):
    """Reads aggregate trades, an hour a task."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def partitions(self) -> list[InputPartition]:
        """Return the hours of all spans, up to the exchange's now."""
        return [SpanPartition(hour) for span in self._asked.spans for hour in hours(span, self._asked.now)]

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """Yield an Arrow batch a page."""
        from cryptobot.exchange.agg_trades import agg_trades, to_batch

        if not isinstance(partition, SpanPartition):
            raise TypeError(f"not a partition of this source: {partition!r}")
        span = partition.span
        exchange = client(self._asked.address, self._asked.weight_limit)
        for rows in agg_trades(exchange, span.symbol, span.start, span.end):
            yield to_batch(span.symbol, rows)


def hours(span: Span, now: datetime) -> Iterator[Span]:
    """Yield the pieces of ``span`` in each hour of the clock, up to ``now``."""
    start, end = span.start, min(span.end, now)
    while start < end:
        hour_ends = from_ms(Interval.HOUR_1.following(Interval.HOUR_1.floor(to_ms(start))))
        yield Span(span.symbol, span.interval, start, min(hour_ends, end))
        start = hour_ends


class BinanceSource(DataSource):
    """The source as Spark knows it."""

    @classmethod
    def name(cls) -> str:
        """Return the name for ``format()``."""
        return "binance"

    def schema(self) -> StructType | str:
        """Return the columns of the kind that is asked for."""
        return columns.CANDLES if kind_of(self.options) == KLINES else columns.AGG_TRADES

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of the spans named in the options."""
        asked = read_options(self.options)
        return KlinesReader(asked) if asked.kind == KLINES else AggTradesReader(asked)
