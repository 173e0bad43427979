"""Spark source ``binance``: closed candles by the exchange's REST interface.

``spark.read.format("binance")`` with the options ``address``, ``spans`` (JSON of
:func:`cryptobot.market.span.dump_spans`), ``now`` (ISO instant of the exchange's clock: what has
not closed by then is left out) and ``weight_limit``. The spans are cut into partitions of time;
each is read page by page and handed over as Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from cryptobot.exchange.rest import RestClient, Row
from cryptobot.market.instant import from_ms, parse_instant
from cryptobot.market.span import Span, load_spans

CANDLES_PER_PARTITION = 20_000

_TIME = pa.timestamp("us", tz="UTC")
_ARROW = pa.schema(
    [
        ("symbol", pa.string()),
        ("interval", pa.string()),
        ("open_time", _TIME),
        ("close_time", _TIME),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("quote_volume", pa.float64()),
        ("trades", pa.int64()),
        ("taker_buy_base", pa.float64()),
        ("taker_buy_quote", pa.float64()),
    ]
)
_SPARK = (
    "symbol string, interval string, open_time timestamp, close_time timestamp, open double, high double,"
    " low double, close double, volume double, quote_volume double, trades long, taker_buy_base double,"
    " taker_buy_quote double"
)


@dataclass
class SpanPartition(InputPartition):
    """A piece of one span, small enough for one task."""

    span: Span


def cut(span: Span, candles: int = CANDLES_PER_PARTITION) -> Iterator[Span]:
    """Yield consecutive pieces of ``span``, each of at most ``candles`` nominal lengths."""
    step = candles * span.interval.milliseconds
    for start_ms in range(span.start_ms, span.end_ms, step):
        end = min(start_ms + step, span.end_ms)
        yield Span(span.symbol, span.interval, from_ms(start_ms), from_ms(end))


def to_batch(span: Span, rows: list[Row]) -> pa.RecordBatch:
    """Return rows of the wire as Arrow columns: UTC microseconds, doubles, long trades."""
    columns = list(zip(*rows, strict=True))

    def time(position: int) -> pa.Array:
        return pa.array([value * 1_000 for value in columns[position]], pa.int64()).cast(_TIME)

    def doubles(position: int) -> pa.Array:
        return pa.array(map(float, columns[position]), pa.float64())

    arrays = [
        pa.array([span.symbol] * len(rows)),
        pa.array([span.interval.value] * len(rows)),
        time(0),
        time(6),
        *map(doubles, (1, 2, 3, 4, 5, 7)),
        pa.array(columns[8], pa.int64()),
        *map(doubles, (9, 10)),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_ARROW)


class BinanceReader(DataSourceReader):
    """Reads each partition with a client of its own; all pace themselves by the shared weight."""

    def __init__(self, options: dict[str, str]) -> None:
        self._address = options["address"]
        self._spans = load_spans(options["spans"])
        self._now: datetime = parse_instant(options["now"])
        self._weight_limit = int(options["weight_limit"])

    def partitions(self) -> list[InputPartition]:
        """Return pieces of time of all spans."""
        return [SpanPartition(piece) for span in self._spans for piece in cut(span)]

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """Yield one Arrow batch a page."""
        if not isinstance(partition, SpanPartition):
            raise TypeError(f"not a partition of this source: {partition!r}")
        with RestClient(self._address, weight_limit=self._weight_limit) as exchange:
            for rows in exchange.klines(partition.span, self._now):
                yield to_batch(partition.span, rows)


class BinanceSource(DataSource):
    """The source as Spark knows it."""

    @classmethod
    def name(cls) -> str:
        """Return the name for ``format()``."""
        return "binance"

    def schema(self) -> StructType | str:
        """Return the columns: those of :class:`cryptobot.market.kline.Kline`."""
        return _SPARK

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of the spans named in the options."""
        return BinanceReader(dict(self.options))


def register(spark: SparkSession) -> None:
    """Make ``format("binance")`` known to ``spark``."""
    spark.dataSource.register(BinanceSource)
