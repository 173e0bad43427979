"""Faults on demand: what tests ask to go wrong, by an admin port on loopback.

``POST /faults`` takes a JSON object of the fields of :class:`Faults` and replaces those named;
``DELETE /faults`` ends them all; ``GET /faults`` shows them; ``POST /drop`` cuts every stream.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import Any

import orjson
from aiohttp import web

from infra.exchange.errors import ApiError
from infra.exchange.limits import banned, too_much_weight

_STRIKES = ("status", "drop_share", "cut_share", "archive_status", "archive_cut", "archive_wrong_checksum")
"""Faults that ``times`` counts and ends."""


@dataclass(slots=True)
class Faults:
    """What goes wrong now. Shares are from 0 to 1, of all requests, messages, candles or files.

    A share of candles or files meets the same ones each time, chosen by ``seed``.
    """

    seed: int = 0
    """Which candles and files are met by a share of them."""
    times: int = 0
    """After so many requests refused, cut or answered with a wrong checksum these faults end; 0: never."""

    status: int = 0
    """REST answers with this status (429, 418, 403, 5xx) instead, where not 0."""
    status_share: float = 1.0
    retry_after_s: int = 0
    """What 429 and 418 name as ``Retry-After``, s, where not 0; otherwise 1 and 120."""
    latency_ms: float = 0.0
    """Each REST answer comes this much later."""
    drop_share: float = 0.0
    """Share of REST requests whose connection is cut without an answer."""
    cut_share: float = 0.0
    """Share of REST answers whose connection is cut in the middle of the body."""

    missing_candles: float = 0.0
    """Share of candles that REST and archive do not have, and of closed candles not streamed."""
    corrected_candles: float = 0.0
    """Share of candles that REST and archive answer with one trade more than without this fault."""
    repeated_rows: float = 0.0
    """Share of rows of kline pages and archive files that come twice."""
    unordered_rows: float = 0.0
    """Share of such rows that come after the row that should follow them."""
    broken_rows: float = 0.0
    """Share of such rows that are cut short, have a price that is no number, or a high below the low."""

    archive_missing: float = 0.0
    """Share of the archive's files that are not found, nor their checksums."""
    archive_status: int = 0
    """The archive answers with this status instead, where not 0."""
    archive_wrong_checksum: float = 0.0
    """Share of the archive's files whose checksum is another file's."""
    archive_cut: float = 0.0
    """Share of the archive's answers whose connection is cut in the middle of the body."""
    archive_header: bool = False
    """The archive's files begin with a line of column names."""

    repeated_candles: float = 0.0
    """Share of closed candles streamed twice."""
    out_of_order: bool = False
    """Each batch of trades is sent in reverse."""
    broken_share: float = 0.0
    """Share of batches of trades before which a message that is no JSON is sent."""

    def chance(self, share: float) -> bool:
        """Tell whether something that befalls ``share`` of all befalls this one."""
        return share > 0 and random.random() < share

    def strikes(self, share: float) -> bool:
        """Tell the same of a fault that ``times`` may limit, and count it."""
        return self.chance(share) and self._counted()

    def fate(self, share: float, fault: str, subject: str) -> bool:
        """Tell whether ``fault``, which befalls ``share`` of all, befalls ``subject``: always the same."""
        if share <= 0:
            return False
        drawn = blake2b(f"{self.seed}|{fault}|{subject}".encode(), digest_size=6).digest()
        return int.from_bytes(drawn, "big") < share * 2**48

    async def befall(self, request: web.Request) -> None:
        """Delay, cut or refuse a REST request as asked; raises :class:`ApiError` to refuse."""
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1_000)
        if self.strikes(self.drop_share) and request.transport is not None:
            request.transport.abort()
        status = self.status
        if status and self.strikes(self.status_share):
            raise self._refusal(status)

    def missing(self, open_ms: int, interval: str) -> bool:
        """Tell whether a candle is missing; the same candle always is or is not."""
        return self.fate(self.missing_candles, "missing", f"{interval}|{open_ms}")

    def checksum_is_wrong(self, name: str) -> bool:
        """Tell whether the archive's file ``name`` gets another file's checksum this time."""
        return self.fate(self.archive_wrong_checksum, "checksum", name) and self._counted()

    def _counted(self) -> bool:
        """Count a fault that struck; the last of ``times`` ends all that are counted."""
        if self.times:
            self.times -= 1
            if not self.times:
                for field in fields(self):
                    if field.name in _STRIKES:
                        setattr(self, field.name, field.default)
        return True

    def _refusal(self, status: int) -> ApiError:
        if status == 429:
            return too_much_weight(6_000, self.retry_after_s or 1)
        if status == 418:
            seconds = self.retry_after_s or 120
            return banned(int((time.time() + seconds) * 1_000), seconds)
        return ApiError(-1000, "An unknown error occurred while processing the request.", status)


async def cut(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Send an answer's headers and the first half of its body, and cut the connection."""
    body = bytes(whole.body) if isinstance(whole.body, bytes) else b""
    begun = web.StreamResponse(status=whole.status, headers=whole.headers)
    begun.content_length = len(body)
    await begun.prepare(request)
    await begun.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return begun


def application(faults: Faults, drop_all: Callable[[], int]) -> web.Application:
    """Return the admin port's application."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response(asdict(faults))

    async def change(request: web.Request) -> web.Response:
        kinds: dict[str, type[Any]] = {field.name: type(field.default) for field in fields(Faults)}
        try:
            asked = orjson.loads(await request.read())
            values = {name: kinds[name](value) for name, value in asked.items()}
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise web.HTTPBadRequest(text=f"faults are an object of {', '.join(kinds)}: {error!r}") from error
        for name, value in values.items():
            setattr(faults, name, value)
        return web.json_response(asdict(faults))

    async def clear(request: web.Request) -> web.Response:
        for field in fields(Faults):
            setattr(faults, field.name, field.default)
        return web.json_response(asdict(faults))

    async def drop(request: web.Request) -> web.Response:
        return web.json_response({"dropped": drop_all()})

    app = web.Application()
    app.add_routes(
        [
            web.get("/faults", show),
            web.post("/faults", change),
            web.delete("/faults", clear),
            web.post("/drop", drop),
        ]
    )
    return app
