"""Log-in: who may have tokens, how refresh tokens rotate, and when attempts are refused."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import secrets
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from api.auth.passwords import hash_password, needs_upgrade, password_matches
from api.auth.schemas import Tokens
from api.problems import Forbidden, TooManyRequests, Unauthorized
from api.services import Services
from cryptobot.serving.access import ACCESS_SECONDS, SCOPES, Scope, issue_token
from cryptobot.storage import users

log = logging.getLogger("api.audit")

REFRESH_LIFETIME = timedelta(days=30)
_FORGET_FAILURES_SECONDS = 3600


class _Limit(NamedTuple):
    """After so many free failures under ``key`` each further one doubles the wait, up to the longest.

    A name's longest wait is short: whoever guesses at it must not lock its owner out for long.
    """

    key: str
    free_failures: int
    longest_wait_seconds: int


async def authenticate(services: Services, name: str, password: str, address: str) -> dict[str, Any]:
    """Return the user whose name and password these are; the failure says not which was wrong."""
    by_user = f"user|{_digest(name)}"
    limits = [_Limit(by_user, free_failures=5, longest_wait_seconds=60)]
    if not _is_loopback(address):  # from there the dashboard asks on behalf of many
        limits.append(_Limit(f"address|{address}", free_failures=30, longest_wait_seconds=900))
    until = await users.locked_until(services.database, [limit.key for limit in limits])
    if until is not None:
        seconds = int((until - datetime.now(UTC)).total_seconds()) + 1
        raise TooManyRequests(f"too many failed log-ins; try again in {seconds} s", seconds)
    user = await users.find_user(services.database, name)
    if user is not None and user["disabled"]:
        user = None
    matches = await password_matches(user["password_hash"] if user else None, password)
    if user is None or not matches:
        for limit in limits:
            await users.record_failure(
                services.database,
                limit.key,
                free=limit.free_failures,
                longest_seconds=limit.longest_wait_seconds,
                forget_seconds=_FORGET_FAILURES_SECONDS,
            )
        log.warning("log-in refused", extra={"address": address})
        raise Unauthorized("the user name or the password is wrong")
    await users.clear_failures(services.database, by_user)
    if needs_upgrade(user["password_hash"]):
        await users.save_password(services.database, name, await hash_password(password))
    log.info("logged in", extra={"user": name, "address": address})
    return user


async def grant(services: Services, user: dict[str, Any], asked: str) -> Tokens:
    """Return new tokens for a user who has just proved to be one."""
    held = frozenset(user["scopes"]) & SCOPES
    wanted = frozenset(asked.split()) or held
    if not wanted <= held:
        missing = ", ".join(sorted(wanted - held))
        raise Forbidden(f"scope not granted to {user['_id']}: {missing}; it has: {', '.join(sorted(held))}")
    return await _tokens(services, user["_id"], wanted, family=uuid.uuid4().hex)


def require_scope(user: dict[str, Any], scope: Scope) -> None:
    """Raise ``Forbidden`` unless the user has ``scope``."""
    if scope not in user["scopes"]:
        raise Forbidden(f"{user['_id']} does not have the scope {scope}")


async def refresh(services: Services, refresh_token: str) -> Tokens:
    """Return new tokens for a refresh token, which is used up.

    A token that comes a second time was stolen, from its owner or by its owner's rival: all
    tokens of that log-in are revoked.
    """
    used = await users.use_refresh_token(services.database, _digest(refresh_token))
    if used is None:
        raise Unauthorized("the refresh token is not valid; log in again")
    if used["used_at"] is not None:
        await users.revoke_family(services.database, used["family"])
        log.warning("refresh token used twice, log-in revoked", extra={"user": used["user"]})
        raise Unauthorized("the refresh token was used before; log in again")
    user = await users.find_user(services.database, used["user"])
    if user is None or user["disabled"]:
        raise Unauthorized("the user is disabled; ask an administrator")
    scopes = frozenset(used["scopes"]) & frozenset(user["scopes"])
    return await _tokens(services, user["_id"], scopes, family=used["family"])


async def log_out(services: Services, refresh_token: str) -> None:
    """Revoke all refresh tokens of the log-in that ``refresh_token`` belongs to."""
    if found := await users.find_refresh_token(services.database, _digest(refresh_token)):
        await users.revoke_family(services.database, found["family"])
        log.info("logged out", extra={"user": found["user"]})


async def ensure_admin(services: Services) -> None:
    """Make the settings' administrator a user; a changed password or scope takes effect."""
    name = services.settings.admin_user
    password = services.settings.admin_password.get_secret_value()
    user = await users.find_user(services.database, name)
    if (
        user
        and not user["disabled"]
        and set(user["scopes"]) == SCOPES
        and await password_matches(user["password_hash"], password)
    ):
        return
    await users.save_configured_admin(services.database, name, await hash_password(password), SCOPES)
    log.info("administrator set from the settings", extra={"user": name})


async def _tokens(services: Services, user: str, scopes: Iterable[str], *, family: str) -> Tokens:
    refresh_token = secrets.token_urlsafe(32)
    await users.add_refresh_token(
        services.database,
        _digest(refresh_token),
        family=family,
        user=user,
        scopes=scopes,
        expires_at=datetime.now(UTC) + REFRESH_LIFETIME,
    )
    return Tokens(
        access_token=issue_token(services.settings, user, scopes),
        expires_in=ACCESS_SECONDS,
        refresh_token=refresh_token,
        scope=" ".join(sorted(scopes)),
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
