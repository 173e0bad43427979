"""Request weights: what each address has used of the minute, and what happens beyond."""

from __future__ import annotations

import time
from dataclasses import dataclass

from infra.exchange.errors import ApiError

_REFUSALS_BEFORE_BAN = 20
_FIRST_BAN_SECONDS = 120
_LONGEST_BAN_SECONDS = 3 * 86_400


@dataclass(slots=True)
class _Account:
    minute: int = 0
    used: int = 0
    refused: int = 0
    bans: int = 0
    banned_until: float = 0.0


class Weights:
    """Weight used by each address in the minute of the wall clock."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._accounts: dict[str, _Account] = {}

    def charge(self, address: str, weight: int) -> None:
        """Add ``weight`` to what the address has used in this minute.

        Raises :class:`ApiError` 429 past the limit, and 418 for an address that went on all
        the same: a ban of two minutes, twice as long each time, up to three days.
        """
        now = time.time()
        account = self._accounts.setdefault(address, _Account())
        if now < account.banned_until:
            raise self._banned(account, now)
        minute = int(now // 60)
        if minute != account.minute:
            account.minute, account.used, account.refused = minute, 0, 0
        account.used += weight
        if account.used <= self.limit:
            return
        account.refused += 1
        if account.refused > _REFUSALS_BEFORE_BAN:
            account.banned_until = now + min(_FIRST_BAN_SECONDS * 2**account.bans, _LONGEST_BAN_SECONDS)
            account.bans += 1
            raise self._banned(account, now)
        raise too_much_weight(self.limit, 60 - int(now % 60))

    def headers(self, address: str) -> dict[str, str]:
        """Return the response headers that tell the address what it has used."""
        account = self._accounts.get(address, _Account())
        used = str(account.used if account.minute == int(time.time() // 60) else 0)
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def _banned(self, account: _Account, now: float) -> ApiError:
        return banned(int(account.banned_until * 1_000), int(account.banned_until - now) + 1)


def too_much_weight(limit: int, retry_after: int) -> ApiError:
    """Return the refusal of an address whose minute is used up."""
    message = (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return ApiError(-1003, message, 429, retry_after)


def banned(until_ms: int, retry_after: int) -> ApiError:
    """Return the refusal of an address that is banned until ``until_ms``."""
    message = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return ApiError(-1003, message, 418, retry_after)
