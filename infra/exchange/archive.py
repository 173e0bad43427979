"""The public archive: a zip of kline CSV a day or a month, and its checksum beside it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from cryptobot.market import Interval
from cryptobot.market.instant import to_ms
from infra.exchange.bars import Bars
from infra.exchange.instruments import Instrument
from infra.exchange.present import Present
from infra.exchange.recent import Recent
from infra.exchange.rendering import Fixed, Integer, lines

_MICROSECONDS_FROM = to_ms(datetime(2025, 1, 1, tzinfo=UTC))
_INTERVALS = {interval.value: interval for interval in Interval}
_FORMATS = {"daily": "%Y-%m-%d", "monthly": "%Y-%m"}
_NAME = re.compile(r"^([A-Z0-9]+)-(\w+)-(\d{4}-\d{2}(?:-\d{2})?)\.zip(\.CHECKSUM)?$")


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    symbol: str
    interval: Interval
    start_ms: int
    end_ms: int


class Archive:
    """Zips of what has closed; a day is published when it is over, a month likewise."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._zips: Recent[_File, bytes] = Recent(4)

    def routes(self) -> list[web.RouteDef]:
        """Return the archive's route."""
        path = r"/data/spot/{span:daily|monthly}/klines/{symbol}/{interval}/{name}"
        return [web.get(path, self._serve)]

    async def _serve(self, request: web.Request) -> web.Response:
        found = _NAME.match(request.match_info["name"])
        file = self._file(request.match_info, found) if found else None
        packed = await asyncio.to_thread(self._zips.get, file, lambda: self._zip(file)) if file else b""
        if not file or not found or not packed:
            raise web.HTTPNotFound(
                text="<Error><Code>NoSuchKey</Code></Error>", content_type="application/xml"
            )
        if found[4]:
            return web.Response(text=f"{hashlib.sha256(packed).hexdigest()}  {file.name}.zip\n")
        return web.Response(body=packed, content_type="application/zip")

    def _file(self, path: web.UrlMappingMatchInfo, name: re.Match[str]) -> _File | None:
        """Return what is asked for, or None when there is no such file (yet)."""
        symbol, interval = name[1], _INTERVALS.get(name[2])
        if (symbol, name[2]) != (path["symbol"], path["interval"]) or interval is None:
            return None
        if symbol not in self._present.market.instruments or not self._present.market.serves(
            symbol, interval
        ):
            return None
        try:
            start = to_ms(datetime.strptime(name[3], _FORMATS[path["span"]]).replace(tzinfo=UTC))
        except ValueError:
            return None
        end = (Interval.DAY_1 if path["span"] == "daily" else Interval.MONTH_1).following(start)
        if end > self._present.clock.now_ms() or end <= self._present.market.first_open(symbol):
            return None
        return _File(f"{symbol}-{interval}-{name[3]}", symbol, interval, start, end)

    def _zip(self, file: _File) -> bytes:
        """Return the zip, the same bytes each time; nothing when no candle opened in its time."""
        bars = self._present.candles(file.symbol, file.interval, file.start_ms, file.end_ms, file.end_ms)
        if not len(bars):
            return b""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            entry = zipfile.ZipInfo(f"{file.name}.csv", (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _csv(bars, self._present.instrument(file.symbol)))
        return packed.getvalue()


def _csv(bars: Bars, instrument: Instrument) -> bytes:
    scale = 1_000 if int(bars.open_ms[0]) >= _MICROSECONDS_FROM else 1
    price, quantity, quote = (
        instrument.price_decimals,
        instrument.quantity_decimals,
        instrument.quote_decimals,
    )
    return lines(
        [
            Integer(bars.open_ms * scale),
            b",", Fixed(bars.open, price),
            b",", Fixed(bars.high, price),
            b",", Fixed(bars.low, price),
            b",", Fixed(bars.close, price),
            b",", Fixed(bars.volume, quantity),
            b",", Integer((bars.close_ms + 1) * scale - 1),
            b",", Fixed(bars.quote, quote),
            b",", Integer(bars.trades),
            b",", Fixed(bars.taker_base, quantity),
            b",", Fixed(bars.taker_quote, quote),
            b",0\n",
        ],
        len(bars),
    ).data  # fmt: skip
