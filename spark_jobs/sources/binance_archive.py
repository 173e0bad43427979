"""Spark source ``binance_archive``: closed candles from the exchange's public archive.

Takes the options of :mod:`spark_jobs.sources.binance`, and ``archive`` (its address) and ``mode``:
``archive`` (a file that is missing is an error) or ``auto`` (the archive for what is older than two
days of ``now``, REST for the rest; and where a file cannot be had: a month's days, then REST).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from cryptobot.exchange.ahead import in_order
from cryptobot.exchange.archive_files import Part, cover, split
from cryptobot.exchange.errors import ArchiveFileMissingError, ExchangeError, KlinesUnavailableError
from cryptobot.market.span import Span
from spark_jobs.sources import columns
from spark_jobs.sources.binance import KlinesReader, SpanPartition
from spark_jobs.sources.options import KLINES, Asked, choice, kind_of, read_options, required
from spark_jobs.sources.rest_pages import candle_batches, client, recorded_part

if TYPE_CHECKING:
    import pyarrow as pa

    from cryptobot.exchange.archive import Archive
    from cryptobot.exchange.rest import RestClient

ARCHIVE, AUTO = "archive", "auto"
CANDLES_PER_PARTITION = 50_000
FILES_PER_PARTITION = 12

log = logging.getLogger(__name__)


@dataclass
class FilesPartition(InputPartition):
    """Consecutive files of one symbol and interval: a large one, or several small ones."""

    parts: tuple[Part, ...]


@lru_cache(maxsize=4)
def archive(address: str) -> Archive:
    """Return this worker's archive, whose connections outlive a task."""
    from cryptobot.exchange.archive import Archive

    return Archive(address)


class ArchiveReader(KlinesReader):
    """Reads files by the archive and, in mode ``auto``, the rest by REST."""

    def __init__(self, asked: Asked, address: str, mode: str) -> None:
        super().__init__(asked)
        self._archive = address
        self._auto = mode == AUTO

    def partitions(self) -> list[InputPartition]:
        """Return groups of files, and pieces of time for REST."""
        found: list[InputPartition] = []
        for span in self._asked.spans:
            older, newer = split(span, self._asked.now) if self._auto else (span, None)
            if older:
                found += [FilesPartition(parts) for parts in grouped(cover(older))]
            if newer:
                found += self.pieces(newer)
        return found

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """Yield Arrow batches of a file, or of some pages each."""
        if isinstance(partition, SpanPartition):
            yield from super().read(partition)
        elif isinstance(partition, FilesPartition):
            for batches in in_order(lambda part: list(self._batches(part)), partition.parts):
                yield from batches
        else:
            raise TypeError(f"not a partition of this source: {partition!r}")

    def _batches(self, part: Part) -> Iterator[pa.RecordBatch]:
        try:
            found = archive(self._archive).candles(part, self._asked.now)
        except ExchangeError as error:
            if not self._auto:
                raise
            missing = isinstance(error, ArchiveFileMissingError)
            log.log(logging.INFO if missing else logging.WARNING, "reading on without a file: %s", error)
            yield from self._instead(part, error)
        else:
            for start in range(0, found.num_rows, columns.ROWS_PER_BATCH):
                yield found.slice(start, columns.ROWS_PER_BATCH)

    def _instead(self, part: Part, error: ExchangeError) -> Iterator[pa.RecordBatch]:
        """Yield a part whose file cannot be had: a month by its days that have candles, a day by REST."""
        days = part.days()
        if not days or isinstance(error, KlinesUnavailableError):  # it is the archive that cannot be had
            yield from self._by_rest(part.span)
            return
        if recorded := recorded_part(self._exchange(), part.span):
            for day in Part(recorded, part.file).days():
                yield from self._batches(day)

    def _by_rest(self, span: Span) -> Iterator[pa.RecordBatch]:
        return candle_batches(self._exchange(), span, self._asked.now)

    def _exchange(self) -> RestClient:
        return client(self._asked.address, self._asked.weight_limit)


def grouped(parts: Iterable[Part]) -> Iterator[tuple[Part, ...]]:
    """Yield consecutive parts together, bounded in candles and in files."""
    kept: list[Part] = []
    candles = 0
    for part in parts:
        span = part.span
        count = (span.end_ms - span.start_ms) // span.interval.milliseconds
        if kept and (candles + count > CANDLES_PER_PARTITION or len(kept) == FILES_PER_PARTITION):
            yield tuple(kept)
            kept, candles = [], 0
        kept.append(part)
        candles += count
    if kept:
        yield tuple(kept)


class BinanceArchiveSource(DataSource):
    """The source as Spark knows it."""

    @classmethod
    def name(cls) -> str:
        """Return the name for ``format()``."""
        return "binance_archive"

    def schema(self) -> StructType | str:
        """Return the columns of candles; the archive is read for them alone."""
        if kind_of(self.options) != KLINES:
            raise ValueError(f"binance_archive reads {KLINES} only; read aggTrades by the source binance")
        return columns.CANDLES

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of the spans named in the options."""
        mode = choice(self.options, "mode", (ARCHIVE, AUTO))
        return ArchiveReader(read_options(self.options), required(self.options, "archive"), mode)
