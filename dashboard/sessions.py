"""Viewers' sessions: the tokens stay on the server, the browser holds a random key in a cookie.

Sessions outlive a restart: they are kept in one file, encrypted with a key derived from the
product's token key. The file names sessions only by the hash of their cookie.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

LIFETIME_SECONDS = 30 * 86_400
"""A session ends when it was not renewed for as long as the API's refresh token lives."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tokens:
    """What the API gave for a log-in; ``expires_at`` is the access token's end, seconds since the epoch."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float


@dataclass
class Session:
    """A viewer who is logged in."""

    key: str
    user: str
    tokens: Tokens
    renewed_at: float
    ended: bool = False
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class SessionStore:
    """All sessions of this server, found by the cookie's value."""

    def __init__(self, file: Path, token_key: str) -> None:
        digest = hashlib.sha256(b"cryptobot dashboard sessions\0" + token_key.encode()).digest()
        self._cipher = Fernet(base64.urlsafe_b64encode(digest))
        self._file = file
        self._writing = asyncio.Lock()
        self._sessions = self._read()

    async def begin(self, user: str, tokens: Tokens) -> str:
        """Begin a session; return the value for the viewer's cookie."""
        cookie = secrets.token_urlsafe(32)
        key = _key(cookie)
        self._sessions[key] = Session(key, user, tokens, time.time())
        await self._write()
        return cookie

    def find(self, cookie: str | None) -> Session | None:
        """Return the session that a cookie's value belongs to, if it has not ended."""
        session = self._sessions.get(_key(cookie)) if cookie else None
        if session is None or session.renewed_at + LIFETIME_SECONDS < time.time():
            return None
        return session

    async def renew(self, session: Session, tokens: Tokens) -> None:
        """Keep the tokens that replace a session's former ones."""
        session.tokens, session.renewed_at = tokens, time.time()
        await self._write()

    async def end(self, session: Session) -> None:
        """End a session; whatever still holds it sees ``ended``."""
        session.ended = True
        self._sessions.pop(session.key, None)
        await self._write()

    def _read(self) -> dict[str, Session]:
        try:
            kept = json.loads(self._cipher.decrypt(self._file.read_bytes()))
        except FileNotFoundError:
            return {}
        except (InvalidToken, ValueError):
            log.warning("%s was written with another key; everyone has to log in again", self._file)
            return {}
        return {
            item["key"]: Session(item["key"], item["user"], Tokens(**item["tokens"]), item["renewed_at"])
            for item in kept
        }

    async def _write(self) -> None:
        oldest = time.time() - LIFETIME_SECONDS
        self._sessions = {key: held for key, held in self._sessions.items() if held.renewed_at >= oldest}
        async with self._writing:
            kept = [
                {
                    "key": held.key,
                    "user": held.user,
                    "tokens": asdict(held.tokens),
                    "renewed_at": held.renewed_at,
                }
                for held in self._sessions.values()
            ]
            await asyncio.to_thread(self._replace, self._cipher.encrypt(json.dumps(kept).encode()))

    def _replace(self, sealed: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_name(f"{self._file.name}.{secrets.token_hex(4)}")
        partial.touch(mode=0o600)
        partial.write_bytes(sealed)
        partial.replace(self._file)


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
