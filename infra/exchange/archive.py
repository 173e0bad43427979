"""The public archive: a zip of kline CSV a day or a month, and its checksum beside it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import threading
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from cryptobot.market import Interval
from cryptobot.market.instant import to_ms
from infra.exchange import spoiled
from infra.exchange.bars import Bars
from infra.exchange.faults import Faults, cut
from infra.exchange.instruments import Instrument
from infra.exchange.present import Present
from infra.exchange.recent import Recent
from infra.exchange.rendering import Fixed, Integer, lines

_MICROSECONDS_FROM = to_ms(datetime(2025, 1, 1, tzinfo=UTC))
_INTERVALS = {interval.value: interval for interval in Interval if interval is not Interval.MONTH_1} | {
    "1mo": Interval.MONTH_1  # so that names differ where capitals do not count
}
_FORMATS = {"daily": "%Y-%m-%d", "monthly": "%Y-%m"}
_HEADER = (
    b"open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    b"taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
_NAME = re.compile(r"^([A-Z0-9]+)-(\w+)-(\d{4}-\d{2}(?:-\d{2})?)\.zip(\.CHECKSUM)?$")


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    symbol: str
    interval: Interval
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class _Packed:
    """A zip and its checksum; both empty where no candle opened in the file's time."""

    data: bytes = b""
    checksum: str = ""


class Archive:
    """Zips of what has closed; a day is published when it is over, a month likewise.

    Zips that were asked for are kept, ``cache_mb`` of them: one is asked for together with its
    checksum, and again by whoever checks a range again.
    """

    def __init__(self, present: Present, faults: Faults, cache_mb: float) -> None:
        self._present = present
        self._faults = faults
        self._making = threading.Lock()
        self._packed: Recent[object, _Packed] = Recent(
            int(cache_mb * 2**20), lambda packed: len(packed.data) + 1_000
        )

    def routes(self) -> list[web.RouteDef]:
        """Return the archive's route."""
        path = r"/data/spot/{span:daily|monthly}/klines/{symbol}/{interval}/{name}"
        return [web.get(path, self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        faults, status = self._faults, self._faults.archive_status
        if status and faults.strikes(1.0):
            return web.Response(status=status, headers={"Retry-After": str(faults.retry_after_s or 1)})
        found = _NAME.match(request.match_info["name"])
        file = self._file(request.match_info, found) if found else None
        if not file or not found or faults.fate(faults.archive_missing, "missing file", file.name):
            raise _not_found()
        packed = await asyncio.to_thread(self._get, file)
        if not packed.data:
            raise _not_found()
        if found[4]:
            checksum = packed.checksum
            if faults.checksum_is_wrong(file.name):
                checksum = hashlib.sha256(checksum.encode()).hexdigest()
            response = web.Response(text=f"{checksum}  {file.name}.zip\n")
        else:
            response = web.Response(body=packed.data, content_type="application/zip")
        return await cut(request, response) if faults.strikes(faults.archive_cut) else response

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
        return _File(f"{symbol}-{name[2]}-{name[3]}", symbol, interval, start, end)

    def _get(self, file: _File) -> _Packed:
        """Return the file as it is now, made by one thread while others wait to find it."""
        key = (file, self._faults.archive_header, spoiled.wanted(self._faults))
        with self._making:
            return self._packed.get(key, lambda: self._pack(file))

    def _pack(self, file: _File) -> _Packed:
        """Return the zip, the same bytes each time."""
        bars = self._present.candles(file.symbol, file.interval, file.start_ms, file.end_ms, file.end_ms)
        if not len(bars):
            return _Packed()
        csv = _csv(bars, self._present.instrument(file.symbol))
        if spoiled.wanted(self._faults):
            csv = spoiled.lines(csv, file.symbol, file.interval, self._faults)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            entry = zipfile.ZipInfo(f"{file.name}.csv", (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (_HEADER if self._faults.archive_header else b"") + csv)
        return _Packed(packed.getvalue(), hashlib.sha256(packed.getvalue()).hexdigest())


def _not_found() -> web.HTTPNotFound:
    return web.HTTPNotFound(text="<Error><Code>NoSuchKey</Code></Error>", content_type="application/xml")


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
