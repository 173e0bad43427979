"""Pages of a collection: newest first, by a cursor that stays correct while data grows."""

from __future__ import annotations

import base64
import binascii
import json
from typing import NamedTuple

from pymongo import DESCENDING
from pymongo.asynchronous.collection import AsyncCollection

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.database import Document


class InvalidCursorError(ValueError):
    """The cursor was not made by this product, or for another list."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one that this list answered; leave it out to begin anew")


class Page(NamedTuple):
    """Documents of one page, and the cursor of the next; ``None`` where the list ends."""

    items: list[Document]
    next_cursor: str | None


def encode_cursor(kind: str, at_ms: int, key: str = "") -> str:
    """Return an opaque cursor: the place in a ``kind`` of list after an instant and a key."""
    return base64.urlsafe_b64encode(json.dumps([kind, at_ms, key]).encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str) -> tuple[int, str]:
    """Return the instant (ms) and key that :func:`encode_cursor` was given."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        made_for, at_ms, key = json.loads(text)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidCursorError from error
    # The bounds are those of the dates that MongoDB and Python share.
    if made_for != kind or type(at_ms) is not int or not 0 <= at_ms < 2**47 or not isinstance(key, str):
        raise InvalidCursorError
    return at_ms, key


async def newest_first(
    collection: AsyncCollection[Document],
    wanted: Document,
    *,
    by: str,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return the page of documents that match ``wanted``, by the date ``by`` and then by ``_id``.

    A document added meanwhile shows up before the first page, never twice and never instead of another.
    """
    clauses = [wanted]
    if cursor is not None:
        at_ms, key = decode_cursor(by, cursor)
        at = from_ms(at_ms)
        clauses.append({"$or": [{by: {"$lt": at}}, {by: at, "_id": {"$lt": key}}]})
    found = await (
        collection.find({"$and": clauses})
        .sort([(by, DESCENDING), ("_id", DESCENDING)])
        .limit(limit + 1)
        .to_list()
    )
    items = found[:limit]
    last = items[-1] if len(found) > limit else None
    return Page(items, encode_cursor(by, to_ms(last[by]), str(last["_id"])) if last else None)
