"""Passwords: Argon2id, off the event loop, and equally slow whether or not the user exists."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's minimum for Argon2id; more would let a few log-ins at once starve a worker."""

_NOBODY = _HASHER.hash(secrets.token_hex(16))
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """Return the hash to store."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _HASHER.hash, password)


async def password_matches(password_hash: str | None, password: str) -> bool:
    """Tell whether ``password`` is the one; with no hash as much time is spent and it is not."""
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(_threads, _matches, password_hash or _NOBODY, password)
    return matches and password_hash is not None


def needs_upgrade(password_hash: str) -> bool:
    """Tell whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
