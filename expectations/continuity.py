"""Custom expectations of continuity: every candle of the grid is there, or is known not to exist.

The metric finds the holes on a pandas or a Spark frame. A hole that ``gaps`` records as absent at
the source is the exchange's own; any other was lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from great_expectations.compatibility import pyspark
from great_expectations.compatibility.pydantic import Field
from great_expectations.compatibility.pyspark import functions as F  # noqa: N812 - the name Spark's users know
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import ExecutionEngine, PandasExecutionEngine, SparkDFExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from cryptobot.market.instant import from_ms
from cryptobot.market.interval import Interval
from cryptobot.market.kline import kline_id
from expectations.frames import grid_slots

HOLES = 1_000
"""Holes that are listed at most: a range with more has been lost as a whole."""

_SHOWN = 20

Hole = tuple[int, int]
"""First missing open time and the open time where candles go on, ms."""


class CandleHoles(TableMetricProvider):
    """The runs of missing open times of ``open_time`` within a range of the grid."""

    metric_name = "table.candle_holes"
    value_keys = ("interval", "start_ms", "end_ms")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 - the library calls it with the class
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        **_: Any,
    ) -> Any:
        frame, _domain, _accessor = execution_engine.get_compute_domain(
            domain_kwargs=metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        opened = frame["open_time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
        return _holes_among(
            np.unique(grid_slots(opened, Interval(metric_value_kwargs["interval"]))), **metric_value_kwargs
        )

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(
        cls,  # noqa: N805 - the library calls it with the class
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        **_: Any,
    ) -> Any:
        frame, _domain, _accessor = execution_engine.get_compute_domain(
            domain_kwargs=metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        interval = Interval(metric_value_kwargs["interval"])
        opened = frame.select(F.unix_millis("open_time").alias("at"))
        if interval is Interval.MONTH_1:  # of uneven length, and few
            slots = {interval.floor(row["at"]) for row in opened.collect()}
            return _holes_among(np.array(sorted(slots), dtype=np.int64), **metric_value_kwargs)
        offset = interval.floor(0) % interval.milliseconds
        slot = F.col("at") - F.pmod(F.col("at") - F.lit(offset), F.lit(interval.milliseconds))
        window = pyspark.Window.partitionBy(F.lit(0)).orderBy("slot")
        steps = opened.select(slot.alias("slot")).select("slot", F.lag("slot").over(window).alias("before"))
        jumps = steps.where(F.col("slot") - F.col("before") > interval.milliseconds).orderBy("slot")
        found = [(row["before"] + interval.milliseconds, row["slot"]) for row in jumps.limit(HOLES).collect()]
        first, last = opened.select(F.min(slot), F.max(slot)).first()
        return _with_edges(found, first, last, **metric_value_kwargs)


class ExpectNoCandleLost(BatchExpectation):
    """Expect that each candle the grid has is there, but for those recorded as absent at the source."""

    symbol: str
    interval: str
    start_ms: int
    end_ms: int
    recorded: list[list[int]] = Field(default_factory=list)

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.candle_holes",)
    success_keys: ClassVar[tuple[str, ...]] = ("symbol", "interval", "start_ms", "end_ms", "recorded")
    args_keys: ClassVar[tuple[str, ...]] = ("symbol", "interval", "start_ms", "end_ms")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine | None = None,
    ) -> dict[str, Any]:
        holes = [(int(start), int(end)) for start, end in metrics["table.candle_holes"]]
        return _outcome(self, list(self._judged(holes)))

    def _judged(self, holes: Iterable[Hole]) -> Iterator[Hole]:
        """Yield what of ``holes`` counts against the expectation."""
        for start, end in holes:
            at = start
            for known_start, known_end in self.recorded:
                if known_end <= at or known_start >= end:
                    continue
                if known_start > at:
                    yield at, known_start
                at = max(at, known_end)
            if at < end:
                yield at, end


class ExpectNoCandleAbsentAtTheSource(ExpectNoCandleLost):
    """Expect that the exchange itself has every candle: lists the recorded holes that are met."""

    def _judged(self, holes: Iterable[Hole]) -> Iterator[Hole]:
        for start, end in holes:
            for known_start, known_end in self.recorded:
                if max(start, known_start) < min(end, known_end):
                    yield max(start, known_start), min(end, known_end)


def _outcome(expectation: ExpectNoCandleLost, holes: list[Hole]) -> dict[str, Any]:
    interval = Interval(expectation.interval)
    counts = [interval.candles_between(start, end) for start, end in holes]
    rows = [
        {
            "_id": kline_id(expectation.symbol, expectation.interval, start),
            "candles missing": count,
            "from": f"{from_ms(start):%Y-%m-%d %H:%M}",
            "to": f"{from_ms(end):%Y-%m-%d %H:%M}",
        }
        for (start, end), count in zip(holes[:_SHOWN], counts, strict=False)
    ]
    if not holes:
        return {"success": True, "result": {"observed_value": "no hole"}}
    listed = "; ".join(f"{row['candles missing']} from {row['from']}" for row in rows[:5])
    more = f"; and {len(holes) - 5} more" if len(holes) > 5 else ""
    where = "1 hole" if len(holes) == 1 else f"{len(holes)} holes"
    candles = "1 candle is" if sum(counts) == 1 else f"{sum(counts):,} candles are"
    text = f"{candles} missing in {where}: {listed}{more}"
    return {
        "success": False,
        "result": {"observed_value": text, "details": {"rows": rows, "count": len(holes)}},
    }


def _holes_among(slots: npt.NDArray[np.int64], interval: str, start_ms: int, end_ms: int) -> list[Hole]:
    grid = Interval(interval)
    following = slots[:-1] + grid.milliseconds
    if grid is Interval.MONTH_1:
        following = np.array([grid.following(int(at)) for at in slots[:-1]], dtype=np.int64)
    jumps = np.flatnonzero(slots[1:] > following)[:HOLES]
    found = [(int(following[at]), int(slots[at + 1])) for at in jumps]
    first, last = (int(slots[0]), int(slots[-1])) if len(slots) else (None, None)
    return _with_edges(found, first, last, interval, start_ms, end_ms)


def _with_edges(
    found: list[Hole], first: int | None, last: int | None, interval: str, start_ms: int, end_ms: int
) -> list[Hole]:
    """Return ``found`` with the holes before the first candle and after the last."""
    grid = Interval(interval)
    due = grid.ceil(start_ms)
    if first is None or last is None:
        return [(due, end_ms)] if due < end_ms else []
    leading = [(due, first)] if first > due else []
    after = grid.following(last)
    return [*leading, *found, *([(after, end_ms)] if after < end_ms else [])]
