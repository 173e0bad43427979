"""What a person orders of the registry: promote a version, roll a champion back. The gate is not asked."""

from __future__ import annotations

from datetime import datetime

from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.storage.database import Document


def promote_by_hand(database: Database[Document], version: str, by: str, reason: str) -> Document:
    """Make ``version`` its symbol's champion because ``by`` says so; return the new pointer.

    Raises :class:`~cryptobot.serving.registry.RegistryError` as :func:`registry.promote` does.
    """
    told = f"promoted by hand ({by}): {reason}"
    pointer = registry.promote(database, registry.model(database, version)["symbol"], version, told)
    registry.record_verdict(database, version, True, told, by=by)
    return pointer


def roll_back_by_hand(
    database: Database[Document],
    symbol: str,
    by: str,
    reason: str,
    version: str | None = None,
    since: datetime | None = None,
) -> Document:
    """Return ``symbol`` to what served before its champion because ``by`` says so.

    ``version`` is the champion that is meant: where another serves by now, nothing is changed. The same
    order that was carried out ``since`` then is not carried out again. Returns the pointer.
    Raises :class:`~cryptobot.serving.registry.RegistryError` where there is nothing to leave, another
    is meant, or there is nothing sound to return to.
    """
    told = f"rolled back by hand ({by}): {reason}"
    pointer = registry.champion(database, symbol)
    if pointer is None:
        raise registry.RegistryError(f"{symbol} has no champion: there is nothing to roll back")
    if since is not None and pointer["reason"] == told and pointer["promoted_at"] >= since:
        return pointer
    return registry.roll_back(database, symbol, version or pointer["version"], told)
