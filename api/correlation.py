"""The id that ties a request, its answer and its log lines together."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_current: ContextVar[str] = ContextVar("correlation_id", default="-")


def correlation_id() -> str:
    """Return the id of the request being answered."""
    return _current.get()


def begin_request(sent: bytes | None) -> str:
    """Take over the caller's ``X-Request-Id`` where it is a plain one, otherwise make one."""
    taken = sent.decode() if sent and _ACCEPTED.fullmatch(sent) else uuid.uuid4().hex
    _current.set(taken)
    return taken
