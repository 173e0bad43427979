"""The words of the suites: severities, groups of the report, and the expectations that recur.

Critical blocks what is built from the data; a warning passes and is shown; info is for the eye.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

CRITICAL, WARNING, INFO = FailureSeverity.CRITICAL, FailureSeverity.WARNING, FailureSeverity.INFO

COMPLETENESS = "Completeness"
IDENTITY = "Keys and fields"
PRICES = "Prices"
VOLUMES = "Volumes and trades"
TIMES = "Times"
HISTORY = "Compared with the weeks before"
REPAIRS = "Quarantine and corrections"


def expect(
    kind: type[Expectation],
    text: str,
    *,
    group: str,
    severity: FailureSeverity = CRITICAL,
    **arguments: Any,
) -> Expectation:
    """Return an expectation that the report calls ``text`` and shows under ``group``."""
    return kind(severity=severity, description=text, meta={"group": group}, **arguments)


def suite_of(name: str, expectations: Iterable[Expectation]) -> ExpectationSuite:
    """Return a suite whose expectations know their place in it."""
    ordered = list(expectations)
    for place, expectation in enumerate(ordered):
        expectation.meta = {**(expectation.meta or {}), "place": place}
    return ExpectationSuite(name=name, expectations=ordered)


def place_of(meta: dict[str, Any] | None) -> int:
    """Return an expectation's place in its suite, from its ``meta``."""
    return int((meta or {})["place"])


def exact_columns(columns: Iterable[str], what: str) -> Expectation:
    """Return the expectation that the fields are ``columns`` and no other."""
    return expect(
        gxe.ExpectTableColumnsToMatchSet,
        f"{what} has exactly the agreed fields",
        group=IDENTITY,
        column_set=list(columns),
        exact_match=True,
    )


def present(column: str, *, group: str = IDENTITY) -> Expectation:
    """Return the expectation that a value is there."""
    return expect(gxe.ExpectColumnValuesToNotBeNull, f"{column} is never absent", group=group, column=column)


def absent(column: str, text: str, *, group: str, severity: FailureSeverity) -> Expectation:
    """Return the expectation that a column of findings is empty."""
    return expect(gxe.ExpectColumnValuesToBeNull, text, group=group, severity=severity, column=column)


def unique(column: str, text: str) -> Expectation:
    """Return the expectation that no value comes twice."""
    return expect(gxe.ExpectColumnValuesToBeUnique, text, group=IDENTITY, column=column)


def among(
    column: str, values: Iterable[Any], text: str, *, severity: FailureSeverity = CRITICAL
) -> Expectation:
    """Return the expectation that values are among the given."""
    return expect(
        gxe.ExpectColumnValuesToBeInSet,
        text,
        group=IDENTITY,
        severity=severity,
        column=column,
        value_set=list(values),
    )


def typed(column: str, kind: str) -> Expectation:
    """Return the expectation that a column is of a type, as the engine names it; no row is read for it."""
    return expect(
        gxe.ExpectColumnTypeToBe, f"{column} is {_KINDS[kind]}", group=IDENTITY, column=column, type_=kind
    )


def positive(column: str, *, group: str) -> Expectation:
    """Return the expectation that values are above zero."""
    return between(column, f"{column} is above zero", group=group, min_value=0, strict_min=True)


def not_negative(column: str, *, group: str) -> Expectation:
    """Return the expectation that values are zero or above."""
    return between(column, f"{column} is never negative", group=group, min_value=0)


def between(
    column: str,
    text: str,
    *,
    group: str,
    severity: FailureSeverity = CRITICAL,
    **bounds: float | int | bool | datetime | None,
) -> Expectation:
    """Return the expectation that each value is within ``bounds`` (those of the built-in one)."""
    return expect(
        gxe.ExpectColumnValuesToBeBetween, text, group=group, severity=severity, column=column, **bounds
    )


def at_least(larger: str, smaller: str, *, group: str) -> Expectation:
    """Return the expectation that one column is nowhere below another."""
    return expect(
        gxe.ExpectColumnPairValuesAToBeGreaterThanB,
        f"{larger} is never below {smaller}",
        group=group,
        column_A=larger,
        column_B=smaller,
        or_equal=True,
    )


def rows_between(
    text: str, least: int | None, most: int | None, *, severity: FailureSeverity = CRITICAL
) -> Expectation:
    """Return the expectation of a number of rows, both bounds included."""
    return expect(
        gxe.ExpectTableRowCountToBeBetween,
        text,
        group=COMPLETENESS,
        severity=severity,
        min_value=least,
        max_value=most,
    )


_KINDS = {
    "float64": "a number",
    "DoubleType": "a number",
    "int64": "a whole number",
    "LongType": "a whole number",
}
