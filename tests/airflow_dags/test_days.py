"""Which days can be made: by their partition's key, and by the form of a backfill."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

NOW = datetime(2025, 11, 1, 0, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _dags_folder(dag_bag: object) -> None:
    """The fixture puts the DAG folder, and with it ``pipeline``, on the path."""


@pytest.mark.parametrize(
    ("now", "settled"),
    [
        (datetime(2025, 11, 1, 0, 4, 59, tzinfo=UTC), False),
        (datetime(2025, 11, 1, 0, 5, tzinfo=UTC), True),
        (datetime(2025, 10, 31, 23, 59, 58, tzinfo=UTC), False),
    ],
    ids=["just over", "settled", "a clock that lags"],
)
def test_a_day_is_made_when_it_has_settled(now: datetime, settled: bool) -> None:
    from pipeline.days import Day

    assert Day.of_key("2025-10-31").has_settled(now) is settled


@pytest.mark.parametrize("key", ["2025-11-01", "2026-01-01"], ids=["today", "the future"])
def test_a_day_that_has_not_closed_is_refused(key: str) -> None:
    from pipeline.days import Day, NotADayError

    with pytest.raises(NotADayError, match=f"{key} has not closed yet: .* 2025-11-01 00:04 UTC"):
        Day.of_key(key).has_settled(NOW)


@pytest.mark.parametrize("key", [None, "", "2025-10", "2025-10-29T00:00:00"])
def test_a_key_that_is_no_day_is_refused(key: str | None) -> None:
    from pipeline.days import Day, NotADayError

    with pytest.raises(NotADayError, match="is not a day"):
        Day.of_key(key)


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2025-10-30", "2025-10-29", "2025-10-30, is after the last, 2025-10-29"),
        ("2025-11-02", None, "first day, 2025-11-02, is in the future"),
        (None, "2025-11-02", "last day, 2025-11-02, is in the future"),
    ],
)
def test_a_form_whose_days_make_no_range_is_refused(first: str | None, last: str | None, told: str) -> None:
    from pipeline.days import NotADayError, check_range

    with pytest.raises(NotADayError, match=told):
        check_range(first, last, NOW)


@pytest.mark.parametrize(
    ("first", "last"), [(None, None), ("2025-11-01", "2025-11-01"), ("2017-08-17", None)]
)
def test_any_other_days_are_a_range(first: str | None, last: str | None) -> None:
    from pipeline.days import check_range

    check_range(first, last, NOW)
