"""Custom expectation of cross-collection equality: a live candle is the candle that REST gives."""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar

import pandas as pd
from great_expectations.compatibility.pyspark import functions as F  # noqa: N812 - the name Spark's users know
from great_expectations.execution_engine import PandasExecutionEngine, SparkDFExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)


class EqualHalves(MulticolumnMapMetricProvider):
    """Whether the first half of the columns holds, row by row, what the second half holds.

    A row of which one half is absent altogether cannot be compared, and is none of this metric's.
    """

    condition_metric_name = "multicolumn_values.equal_halves"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_list",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ()

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> Any:  # noqa: N805
        half = column_list.shape[1] // 2
        left, right = column_list.iloc[:, :half], column_list.iloc[:, half:]
        equal = pd.Series(True, index=column_list.index)
        for (_name, one), (_other, two) in zip(left.items(), right.items(), strict=True):
            equal &= (one == two) | (one.isna() & two.isna())
        return equal | left.isna().all(axis=1) | right.isna().all(axis=1)

    @multicolumn_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, column_list: Any, **_: Any) -> Any:  # noqa: N805
        names = column_list.columns
        left, right = names[: len(names) // 2], names[len(names) // 2 :]
        pairs = zip(left, right, strict=True)
        equal = reduce(lambda a, b: a & b, (F.col(one).eqNullSafe(F.col(two)) for one, two in pairs))
        return equal | F.coalesce(*map(F.col, left)).isNull() | F.coalesce(*map(F.col, right)).isNull()


class ExpectLiveCandlesToEqualRest(MulticolumnMapExpectation):
    """Expect that the candles of both collections agree in every field, bit for bit.

    ``column_list`` names the fields of the live candle, then the same fields of the other one.
    """

    map_metric = "multicolumn_values.equal_halves"
    args_keys: ClassVar[tuple[str, ...]] = ("column_list",)
