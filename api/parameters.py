"""Query parameters that several lists share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime

from api.problems import NotFound
from api.services import Services

SymbolName = Annotated[str, Query(alias="symbol", min_length=1, max_length=20, examples=["BTCUSDT"])]
OptionalSymbol = Annotated[
    str | None, Query(alias="symbol", min_length=1, max_length=20, examples=["BTCUSDT"])
]
Word = Annotated[str | None, Query(min_length=1, max_length=80, pattern=r"^[\w.:|-]+$")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items on a page, at most")]
Cursor = Annotated[
    str | None, Query(max_length=400, description="`next_cursor` of the page before, to go on from there")
]


def _in_utc(instant: datetime) -> datetime:
    try:
        at = instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error
    if at.year < 1971:
        raise ValueError("is before 1971")
    return at


Instant = Annotated[
    AwareDatetime | None,
    AfterValidator(lambda instant: instant if instant is None else _in_utc(instant)),
    Query(examples=["2026-01-01T00:00:00Z"], description="ISO 8601 with a zone"),
]


def watched(services: Services, symbol: str) -> str:
    """Return ``symbol`` if it is one that is watched here; 404 otherwise."""
    if symbol not in services.settings.symbols:
        raise NotFound(f"{symbol} is not watched here; GET /v1/symbols lists the symbols")
    return symbol
