"""Instants: aware UTC datetimes in the product, integer milliseconds on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC instant of ``milliseconds`` since the epoch."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def to_ms(instant: datetime) -> int:
    """Return whole milliseconds since the epoch; a naive ``instant`` is refused."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; candles are in aware UTC")
    return (instant - EPOCH) // MILLISECOND


def parse_instant(text: str) -> datetime:
    """Return the UTC instant of an ISO date or date-time; without a zone it is UTC."""
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
