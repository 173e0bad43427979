"""Repositories of ``users``, ``refresh_tokens`` and ``login_attempts``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pymongo.asynchronous.database import AsyncDatabase

from cryptobot.storage.collections import LOGIN_ATTEMPTS, REFRESH_TOKENS, USERS
from cryptobot.storage.database import Document

Db = AsyncDatabase[Document]


async def find_user(database: Db, name: str) -> Document | None:
    """Return the user, with the hash of the password; ``None`` where there is none."""
    return await database[USERS].find_one({"_id": name})


async def save_password(database: Db, name: str, password_hash: str) -> None:
    """Replace the hash of a user's password."""
    await database[USERS].update_one(
        {"_id": name}, {"$set": {"password_hash": password_hash, "updated_at": datetime.now(UTC)}}
    )


async def save_configured_admin(database: Db, name: str, password_hash: str, scopes: Iterable[str]) -> None:
    """Create or update the administrator of the settings; one configured before is disabled."""
    now = datetime.now(UTC)
    await database[USERS].update_one(
        {"_id": name},
        {
            "$set": {
                "password_hash": password_hash,
                "scopes": sorted(scopes),
                "disabled": False,
                "from_settings": True,
                "updated_at": now,
            },
            "$setOnInsert": {"created_at": now},
        },
        upsert=True,
    )
    await database[USERS].update_many(
        {"from_settings": True, "_id": {"$ne": name}}, {"$set": {"disabled": True, "updated_at": now}}
    )


async def add_refresh_token(
    database: Db, digest: str, *, family: str, user: str, scopes: Iterable[str], expires_at: datetime
) -> None:
    """Store a refresh token by its digest; tokens that follow from each other are one family."""
    await database[REFRESH_TOKENS].insert_one(
        {
            "_id": digest,
            "family": family,
            "user": user,
            "scopes": sorted(scopes),
            "created_at": datetime.now(UTC),
            "expires_at": expires_at,
            "used_at": None,
        }
    )


async def use_refresh_token(database: Db, digest: str) -> Document | None:
    """Mark a token as used, and return it as it was: with ``used_at`` where it had been used before."""
    now = datetime.now(UTC)
    unused = await database[REFRESH_TOKENS].find_one_and_update(
        {"_id": digest, "used_at": None, "expires_at": {"$gt": now}}, {"$set": {"used_at": now}}
    )
    if unused is not None:
        return unused
    return await database[REFRESH_TOKENS].find_one({"_id": digest, "expires_at": {"$gt": now}})


async def find_refresh_token(database: Db, digest: str) -> Document | None:
    """Return a stored refresh token."""
    return await database[REFRESH_TOKENS].find_one({"_id": digest})


async def revoke_family(database: Db, family: str) -> None:
    """Forget all refresh tokens of one log-in."""
    await database[REFRESH_TOKENS].delete_many({"family": family})


async def locked_until(database: Db, keys: Iterable[str]) -> datetime | None:
    """Return until when log-in is refused for any of ``keys``; ``None`` where it is open."""
    now = datetime.now(UTC)
    locked = await (
        database[LOGIN_ATTEMPTS].find({"_id": {"$in": list(keys)}, "locked_until": {"$gt": now}}).to_list()
    )
    return max((entry["locked_until"] for entry in locked), default=None)


async def record_failure(
    database: Db, key: str, *, free: int, longest_seconds: int, forget_seconds: int
) -> None:
    """Count a failed log-in: after ``free`` of them each further one doubles the wait."""
    now = datetime.now(UTC)
    excess = {"$subtract": ["$failures", free]}
    wait_s = {"$min": [longest_seconds, {"$pow": [2, {"$min": [excess, 20]}]}]}
    await database[LOGIN_ATTEMPTS].update_one(
        {"_id": key},
        [
            {"$set": {"failures": {"$add": [{"$ifNull": ["$failures", 0]}, 1]}}},
            {
                "$set": {
                    "expires_at": now + timedelta(seconds=forget_seconds),
                    "locked_until": {
                        "$cond": [
                            {"$gte": ["$failures", free]},
                            {"$add": [now, {"$multiply": [1000, wait_s]}]},
                            None,
                        ]
                    },
                }
            },
        ],
        upsert=True,
    )


async def clear_failures(database: Db, key: str) -> None:
    """Forget the failed log-ins of ``key``."""
    await database[LOGIN_ATTEMPTS].delete_one({"_id": key})
