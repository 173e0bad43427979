"""The pointer to a symbol's champion: moved in one step together with the states of the models."""

from __future__ import annotations

from datetime import datetime

from pymongo import DESCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from cryptobot.storage.collections import CHAMPIONS, MODELS
from cryptobot.storage.database import Document


def last_sound(
    database: Database[Document], symbol: str, first: str | None, *, before: datetime, other_than: str
) -> str | None:
    """Return ``first`` where it can serve, else the last version that served ``before`` and still can.

    A version cannot that is quarantined, was rolled back, or has lost its bundle to retention.
    """
    sound: Document = {
        "symbol": symbol,
        "state": {"$in": ["champion", "superseded"]},
        "bundle_removed_at": None,
        "rolled_back_at": None,
    }
    if first is not None and database[MODELS].find_one({**sound, "_id": first}, {"_id": 1}):
        return first
    found = database[MODELS].find_one(
        {**sound, "_id": {"$ne": other_than}, "promoted_at": {"$lt": before}},
        {"_id": 1},
        sort=[("promoted_at", DESCENDING)],
    )
    return str(found["_id"]) if found else None


def move(
    database: Database[Document],
    entry: Document,
    now: datetime,
    *,
    expected: str | None,
    previous: str | None,
    reason: str,
    back: bool = False,
) -> Document | None:
    """Point at ``entry`` if the pointer still is at ``expected``; return the new pointer, else ``None``.

    ``back`` tells that ``expected`` is rolled back: it is not returned to by itself. ``None`` as well
    when ``entry`` was quarantined, or lost its bundle, in the meantime.
    """
    pointer = {
        "_id": entry["symbol"],
        "version": entry["_id"],
        "promoted_at": now,
        "previous": previous,
        "reason": reason,
        "fit": bool(entry.get("fit", False)),
    }

    def replace(session: ClientSession) -> bool:
        moved = _replace(database, pointer, expected, session) and _serve(database, pointer, back, session)
        if not moved:
            session.abort_transaction()
        elif expected is not None:
            _leave(database, expected, pointer, back, session)
        return moved

    try:
        with database.client.start_session() as session:
            moved = session.with_transaction(replace, write_concern=WriteConcern("majority"))
    except DuplicateKeyError:  # the symbol has its first champion by now
        return None
    return pointer if moved else None


def _replace(
    database: Database[Document], pointer: Document, expected: str | None, session: ClientSession
) -> bool:
    if expected is None:
        database[CHAMPIONS].insert_one(pointer, session=session)
        return True
    current = {"_id": pointer["_id"], "version": expected}
    return database[CHAMPIONS].replace_one(current, pointer, session=session).matched_count == 1


def _serve(database: Database[Document], pointer: Document, back: bool, session: ClientSession) -> bool:
    sound = {"_id": pointer["version"], "state": {"$ne": "quarantined"}, "bundle_removed_at": None}
    told = _event("returned to" if back else "promoted", pointer)
    serving = {"state": "champion"} if back else {"state": "champion", "promoted_at": pointer["promoted_at"]}
    ended = {"rolled_back_at": ""} if back else {"rolled_back_at": "", "deployed_at": ""}
    change = {"$set": serving, "$unset": ended, "$push": {"history": told}}
    return database[MODELS].update_one(sound, change, session=session).matched_count == 1


def _leave(
    database: Database[Document], version: str, pointer: Document, back: bool, session: ClientSession
) -> None:
    left: Document = {"$push": {"history": _event("rolled back" if back else "superseded", pointer)}}
    if back:
        left["$set"] = {"rolled_back_at": pointer["promoted_at"]}
    models = database[MODELS]
    models.update_one({"_id": version}, left, session=session)
    ended = {"$set": {"state": "superseded"}}
    models.update_one({"_id": version, "state": "champion"}, ended, session=session)


def _event(name: str, pointer: Document) -> Document:
    return {"at": pointer["promoted_at"], "event": name, "reason": pointer["reason"]}
