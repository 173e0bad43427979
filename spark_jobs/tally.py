"""What was seen and done in a span, counted: the figures of a run's report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, cast

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.market.instant import from_ms
from cryptobot.market.span import Span
from cryptobot.storage.database import Document
from spark_jobs.cleaning import OFF_GRID, SHORTENED

_SOUND, _REPEATED, _REFUSED, _KINDS = 0, 1, 2, 3


@dataclass(frozen=True)
class Tally:
    """What was read of a span, and what became of it.

    ``rows`` are distinct candles; ``duplicates`` rows whose open time came before; ``quarantined``
    other rows that are no candle; ``missing`` the open times of the grid without a stored candle.
    """

    span: Span
    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    duplicates: int = 0
    quarantined: int = 0
    off_grid: int = 0
    shortened: int = 0
    inserted: int = 0
    corrected: int = 0
    removed: int = 0
    unchanged: int = 0
    stored: int = 0
    missing: int = 0

    @property
    def refused(self) -> int:
        """Rows that are not stored."""
        return self.duplicates + self.quarantined

    def document(self) -> Document:
        """Return the span's entry in the report."""
        figures = asdict(self)
        span = self.span
        del figures["span"]
        first, last = figures.pop("first"), figures.pop("last")
        return {
            "symbol": span.symbol,
            "interval": span.interval.value,
            "start": span.start,
            "end": span.end,
            "rows": figures.pop("rows"),
            "first_open_time": first,
            "last_open_time": last,
            **figures,
        }


FIGURES = tuple(name for name in Tally.__dataclass_fields__ if name not in ("span", "first", "last"))


def total(span: Span, parts: Iterable[Tally]) -> Tally:
    """Return the sum of the ``parts`` that lie in ``span``."""
    mine = [
        part
        for part in parts
        if (part.span.symbol, part.span.interval) == (span.symbol, span.interval)
        and span.start <= part.span.start < span.end
    ]
    return replace(
        Tally(span),
        first=min((part.first for part in mine if part.first), default=None),
        last=max((part.last for part in mine if part.last), default=None),
        **cast("dict[str, Any]", {name: sum(getattr(part, name) for part in mine) for name in FIGURES}),
    )


def observed(frame: DataFrame, spans: Sequence[Span]) -> tuple[DataFrame, Observation]:
    """Return cleaned rows that are counted on their way to a write, and the counts to come."""
    observation = Observation()
    return _with_verdict(frame).observe(observation, *_every_metric(spans)), observation


def counted(frame: DataFrame, spans: Sequence[Span]) -> dict[str, Any]:
    """Count cleaned rows now, for :func:`tallies`."""
    first = _with_verdict(frame).agg(*_every_metric(spans)).first()
    return first.asDict() if first else {}


def tallies(spans: Sequence[Span], seen: Mapping[str, Any]) -> tuple[list[Tally], int]:
    """Return what was counted in each of ``spans``, and the rows that belong to none of them."""
    placed = [
        Tally(
            span,
            rows=seen[f"rows_{position}"],
            first=_instant(seen[f"first_{position}"]),
            last=_instant(seen[f"last_{position}"]),
            duplicates=seen[f"duplicates_{position}"],
            quarantined=seen[f"quarantined_{position}"],
            off_grid=seen[f"off_grid_{position}"],
            shortened=seen[f"shortened_{position}"],
        )
        for position, span in enumerate(spans)
    ]
    return placed, seen["unplaced"]


def _with_verdict(frame: DataFrame) -> DataFrame:
    """Add where a row belongs and what it is as one number, which is compared fast for each metric."""
    kind = F.when(F.col("refused").isNull(), _SOUND).when(F.col("repeat") > 0, _REPEATED).otherwise(_REFUSED)
    return frame.withColumn("verdict", F.col("span") * _KINDS + kind)


def _every_metric(spans: Sequence[Span]) -> list[Column]:
    metrics = [F.count_if(F.col("verdict").isNull()).alias("unplaced")]
    for position in range(len(spans)):
        metrics += [column.alias(f"{name}_{position}") for name, column in _metrics(position).items()]
    return metrics


def _metrics(position: int) -> dict[str, Column]:
    verdict = F.col("verdict") - position * _KINDS
    sound = verdict == _SOUND
    opened = F.when(sound, F.unix_millis("open_time"))
    return {
        "rows": F.count_if(sound),
        "duplicates": F.count_if(verdict == _REPEATED),
        "quarantined": F.count_if(verdict == _REFUSED),
        "off_grid": F.count_if(sound & F.array_contains("marks", OFF_GRID)),
        "shortened": F.count_if(sound & F.array_contains("marks", SHORTENED)),
        "first": F.min(opened),
        "last": F.max(opened),
    }


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
