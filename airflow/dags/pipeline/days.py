"""UTC days as people ask for them: a partition's key, or the first and last day of a form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_SETTLING = timedelta(minutes=5)
"""Time given to the exchange after midnight to have the day's last candles whole."""


class NotADayError(ValueError):
    """What was asked for is no day, or none that can be made; the message says why."""


@dataclass(frozen=True)
class Day:
    """The UTC day of a partition."""

    key: str

    @classmethod
    def of_key(cls, key: str | None) -> Day:
        """Return the day of a run's partition key; raises :class:`NotADayError` when it names none."""
        try:
            return cls(date.fromisoformat(key or "").isoformat())
        except ValueError:
            raise NotADayError(
                f"The partition key {key!r} is not a day; trigger this DAG with one such as 2025-11-01, "
                "or use historical_backfill for a range"
            ) from None

    def has_settled(self, now: datetime) -> bool:
        """Tell whether all of the day's candles are known at ``now``.

        Raises :class:`NotADayError` for a day that has yet to pass.
        """
        end = datetime.combine(date.fromisoformat(self.key) + timedelta(days=1), time(), tzinfo=UTC)
        if now < end - _SETTLING:
            raise NotADayError(
                f"The day {self.key} has not closed yet: the exchange's clock says {now:%Y-%m-%d %H:%M} UTC. "
                "It is made by itself after midnight; backfill days up to yesterday"
            )
        return now >= end + _SETTLING


def check_range(first: str | None, last: str | None, now: datetime) -> None:
    """Raise :class:`NotADayError` unless a form's days, each of which may be empty, make a range."""
    if first and last and first > last:
        raise NotADayError(f"The first day, {first}, is after the last, {last}; exchange them")
    for title, day in (("first", first), ("last", last)):
        if day and date.fromisoformat(day) > now.date():
            raise NotADayError(
                f"The {title} day, {day}, is in the future: the exchange's clock says {now:%Y-%m-%d}; "
                "choose a day up to that one"
            )
