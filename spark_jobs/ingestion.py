"""One chunk of a run, from the source into the collection: read, cleaned, compared, written, verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from py4j.protocol import Py4JError
from pymongo.database import Database
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.market.span import Span, merged
from cryptobot.settings import Settings
from cryptobot.storage import candles, quarantine
from cryptobot.storage.batches import batched
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document
from spark_jobs import cleaning, writing
from spark_jobs.completeness import chart
from spark_jobs.plan import Chunk
from spark_jobs.refusals import quarantine_entries
from spark_jobs.tally import Tally, counted, observed, tallies

Reader = Callable[[Sequence[Span]], DataFrame]
"""Gives the rows of spans as a source has them."""

ATTEMPTS = 5
_REMOVED_BATCH = 1_000


class CandlesLostError(Exception):
    """What the exchange gave is not what the collection holds."""


class Change(NamedTuple):
    """What one comparison changed in a span."""

    inserted: int
    corrected: int
    removed: int


@dataclass(frozen=True)
class Ingestion:
    """What every chunk of a run needs."""

    spark: SparkSession
    settings: Settings
    database: Database[Document]
    read: Reader
    now: datetime
    report_id: str
    overwrite: bool = False

    def chunk(self, pieces: Chunk) -> list[Tally]:
        """Bring a chunk into the collection; return what was seen and done, a tally a stretch of it.

        Where nothing is stored there is nothing to compare with: those rows go straight in.
        """
        held = [candles.count(self.database, piece) > 0 or self.overwrite for piece in pieces]
        fresh = merged(piece for piece, there in zip(pieces, held, strict=True) if not there)
        known = merged(piece for piece, there in zip(pieces, held, strict=True) if there)
        done = [*self._insert(fresh), *self._reconcile(known)]
        for tally in done:
            quarantine.resolve(self.database, tally.span)
        return [replace(tally, missing=chart(self.database, tally)) for tally in done]

    def _insert(self, spans: list[Span]) -> list[Tally]:
        """Insert what the source has of ``spans``, in which nothing is stored.

        Where it turns out that some rows are no candles, or that another run is at work in the same
        range, the span is read again with all care.
        """
        if not spans:
            return []
        rows, observation = observed(self._cleaned(spans), spans)
        try:
            writing.insert(_sound(rows), self.settings)
        except (PySparkException, Py4JError) as error:
            if not writing.met_another_run(error):
                raise
            return self._reconcile(spans)
        seen, unplaced = tallies(spans, observation.get)
        done = []
        for tally in seen:
            stored = candles.count(self.database, tally.span)
            if tally.refused or unplaced or stored < tally.rows:
                (again,) = self._reconcile([tally.span])
                already = min(tally.rows, again.unchanged)
                done.append(
                    replace(again, inserted=again.inserted + already, unchanged=again.unchanged - already)
                )
            else:
                done.append(replace(tally, inserted=tally.rows, stored=stored))
        return done

    def _reconcile(self, spans: list[Span]) -> list[Tally]:
        """Bring ``spans`` to what the source has, by comparison with what is stored."""
        if not spans:
            return []
        rows = self._cleaned(spans).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            seen, unplaced = tallies(spans, counted(rows, spans))
            whole = rows
            if any(tally.duplicates and tally.quarantined for tally in seen):
                whole = cleaning.with_sound_repetitions(rows)
                seen, unplaced = tallies(spans, counted(whole, spans))
            done = self._until_complete(whole, seen)
            if unplaced or any(tally.refused for tally in seen):
                quarantine.add(self.database, quarantine_entries(whole))
            return done
        finally:
            rows.unpersist()

    def _until_complete(self, rows: DataFrame, seen: Sequence[Tally]) -> list[Tally]:
        """Compare and write until the collection holds what it must, a bounded number of times."""
        spans = [tally.span for tally in seen]
        done = list(seen)
        for attempt in range(1, ATTEMPTS + 1):
            before = [candles.count(self.database, span) for span in spans]
            try:
                changes = self._apply(rows, spans, insert=attempt < ATTEMPTS)
            except (PySparkException, Py4JError) as error:
                if attempt == ATTEMPTS or not writing.met_another_run(error):
                    raise
                continue
            done = [
                _added(tally, change, candles.count(self.database, tally.span))
                for tally, change in zip(done, changes, strict=True)
            ]
            lost = [
                tally
                for tally, held, change in zip(done, before, changes, strict=True)
                if tally.stored < max(tally.rows, held + change.inserted - change.removed)
            ]
            if not lost:
                return done
        span = lost[0].span
        raise CandlesLostError(
            f"{span.symbol} {span.interval} from {span.start.isoformat()} to {span.end.isoformat()}: the"
            f" source gave {lost[0].rows} candles, but {HISTORICAL_DATA} holds {lost[0].stored}; run it again"
        )

    def _apply(self, rows: DataFrame, spans: Sequence[Span], *, insert: bool) -> list[Change]:
        """Write what is new or differs, and return what that changed in each span."""
        held = writing.stored(self.spark, self.settings, spans)
        compared = writing.compare(_sound(rows), held)
        wanted = compared if self.overwrite else compared.where(F.col("change") != writing.SAME)
        changes = wanted.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            found = changes.groupBy("span", "change").count().collect()
            counts = {(row["span"], row["change"]): row["count"] for row in found}
            kinds = {kind for _, kind in counts}
            if writing.DIFFERS in kinds:
                differing = changes.where(F.col("change") == writing.DIFFERS)
                corrections = differing.withColumn("after", writing.after())
                writing.log_corrections(corrections, self.settings, self.report_id)
            if self.overwrite or not insert:
                if counts:
                    writing.replace(changes, self.settings)
            else:
                if writing.NEW in kinds:
                    writing.insert(changes.where(F.col("change") == writing.NEW), self.settings)
                if writing.DIFFERS in kinds:
                    writing.replace(changes.where(F.col("change") == writing.DIFFERS), self.settings)
        finally:
            changes.unpersist()
        removed = self._remove(rows, held, spans) if self.overwrite else {}
        return [
            Change(
                counts.get((position, writing.NEW), 0),
                counts.get((position, writing.DIFFERS), 0),
                removed.get(position, 0),
            )
            for position in range(len(spans))
        ]

    def _remove(self, rows: DataFrame, held: DataFrame, spans: Sequence[Span]) -> dict[int, int]:
        """Remove stored candles of which the source has no row, once they are logged."""
        strays = (
            writing.without(held, rows)
            .withColumn("span", cleaning.place(spans))
            .persist(StorageLevel.MEMORY_AND_DISK)
        )
        try:
            counts = {row["span"]: row["count"] for row in strays.groupBy("span").count().collect()}
            if counts:
                writing.log_corrections(writing.removed(strays), self.settings, self.report_id)
                keys = [row["_id"] for row in strays.select("_id").toLocalIterator()]
                for batch in batched(keys, _REMOVED_BATCH):
                    candles.remove(self.database, batch)
            return counts
        finally:
            strays.unpersist()

    def _cleaned(self, spans: Sequence[Span]) -> DataFrame:
        return cleaning.clean(self.read(spans), spans, self.now)


def _sound(rows: DataFrame) -> DataFrame:
    return rows.where(F.col("refused").isNull() & F.col("span").isNotNull())


def _added(tally: Tally, change: Change, stored: int) -> Tally:
    inserted, corrected = tally.inserted + change.inserted, tally.corrected + change.corrected
    return replace(
        tally,
        inserted=inserted,
        corrected=corrected,
        removed=tally.removed + change.removed,
        unchanged=max(0, tally.rows - inserted - corrected),
        stored=stored,
    )
