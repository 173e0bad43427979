"""The archive's files: verified, fetched again, and read whichever way they were written."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest

from cryptobot.exchange.archive import Archive
from cryptobot.exchange.archive_files import ArchiveFile, Part, Period
from cryptobot.exchange.candle_columns import SCHEMA
from cryptobot.exchange.errors import ArchiveFileBrokenError, ArchiveFileMissingError, KlinesUnavailableError
from cryptobot.exchange.patience import ATTEMPTS
from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms, to_ms

START = datetime(2024, 12, 31, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


def line(hour: int, scale: int = 1, **changed: str) -> str:
    open_ms = to_ms(START) + hour * HOUR_MS
    fields = {
        "open_time": str(open_ms * scale), "open": f"{hour + 1}.10000000", "high": "30.5", "low": "0.25",
        "close": "7", "volume": "10.00000001", "close_time": str((open_ms + HOUR_MS) * scale - 1),
        "quote": "15", "trades": "3", "taker": "4", "taker_quote": "6", "unused": "0",
    }  # fmt: skip
    return ",".join({**fields, **changed}.values())


def zipped(*lines: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("candles.csv", "".join(f"{text}\n" for text in lines))
    return packed.getvalue()


class Host:
    """Serves one zip and its checksum, after the answers that a test puts before."""

    def __init__(self, packed: bytes | None, checksums: Callable[[int], str] | None = None) -> None:
        self.packed = packed
        self.checksums = checksums or (lambda _: hashlib.sha256(packed or b"").hexdigest())
        self.before: list[httpx.Response | Exception] = []
        self.asked: list[str] = []
        self.waits: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.before:
            first = self.before.pop(0)
            if isinstance(first, Exception):
                raise first
            return first
        if self.packed is None:
            return httpx.Response(404)
        if request.url.path.endswith(".CHECKSUM"):
            tries = sum(path.endswith(".CHECKSUM") for path in self.asked)
            return httpx.Response(200, text=f"{self.checksums(tries)}  candles.zip\n")
        return httpx.Response(200, content=self.packed)

    def candles(self, span: Span | None = None, now: datetime = NOW) -> pa.RecordBatch:
        file = ArchiveFile("BTCUSDT", Interval.HOUR_1, Period.DAILY, START)
        part = Part(span or Span("BTCUSDT", Interval.HOUR_1, START, START + timedelta(days=1)), file)
        transport = httpx.MockTransport(self.answer)
        archive = Archive("http://archive", transport=transport, sleep=self.waits.append)
        return archive.candles(part, now)


def whole(scale: int = 1) -> list[str]:
    return [line(hour, scale) for hour in range(24)]


class TestContent:
    def test_header_and_unit_do_not_matter(self) -> None:
        plain = Host(zipped(*whole())).candles()
        assert plain.num_rows == 24
        assert plain.schema.equals(SCHEMA)
        assert plain.column("open").to_pylist() == [hour + 1.1 for hour in range(24)]
        assert plain.column("open_time").to_pylist()[1] == START + timedelta(hours=1)
        assert plain.column("close_time").to_pylist()[0] == START + timedelta(milliseconds=HOUR_MS - 1)
        assert set(plain.column("source").to_pylist()) == {"archive"}
        for lines in ([HEADER, *whole()], whole(1_000), [HEADER, *whole(1_000)]):
            assert Host(zipped(*lines)).candles().equals(plain)

    def test_only_the_part_that_is_asked_for_and_has_closed(self) -> None:
        span = Span("BTCUSDT", Interval.HOUR_1, START + timedelta(hours=2), START + timedelta(hours=9))
        host = Host(zipped(*whole()))
        opens = host.candles(span, START + timedelta(hours=6)).column("open_time").to_pylist()
        assert opens == [START + timedelta(hours=hour) for hour in range(2, 6)]

    def test_repeated_and_disordered_rows_are_sorted_and_numbered(self) -> None:
        lines = [line(1), line(0), line(1, close="8"), line(2)]
        batch = Host(zipped(*lines)).candles()
        assert batch.column("repeat").to_pylist() == [0, 0, 1, 0]
        assert batch.column("close").to_pylist() == [7.0, 7.0, 8.0, 7.0]

    @pytest.mark.parametrize("header", [[], [HEADER]])
    @pytest.mark.parametrize(
        ("text", "column"),
        [
            (line(1, high="high"), "high"),
            (line(1, volume=""), "volume"),
            (line(1, close="nan"), "close"),
            (line(1, trades="3.5"), "trades"),
            (line(1, close_time="9" * 18), "close_time"),
            (line(1).rsplit(",", 2)[0], "taker_buy_quote"),
        ],
    )
    def test_an_unreadable_field_is_null_beside_the_rows_text(
        self, header: list[str], text: str, column: str
    ) -> None:
        batch = Host(zipped(*header, line(0), text, line(2))).candles()
        assert batch.column(column).is_null().to_pylist() == [False, True, False]
        assert batch.column("raw").to_pylist() == [None, text, None]
        assert batch.column("open").to_pylist() == [1.1, 2.1, 3.1]
        assert batch.column("open_time").to_pylist()[1] == START + timedelta(hours=1)

    @pytest.mark.parametrize(
        ("packed", "reason"),
        [
            (zipped(line(0), line(24)), "not in its time"),
            (zipped(line(0), line(-1)), "not in its time"),
            (zipped(line(0), line(24, high="high")), "not in its time"),
            (zipped(line(0), line(1, open_time="soon")), "line 2 is no candle"),
            (b"<html>", "no zip"),
        ],
    )
    def test_what_cannot_be_the_file_condemns_it(self, packed: bytes, reason: str) -> None:
        with pytest.raises(ArchiveFileBrokenError, match=rf"BTCUSDT-1h-2024-12-31\.zip of BTCUSDT.*{reason}"):
            Host(packed).candles()

    def test_a_file_without_a_line_holds_no_candle(self) -> None:
        assert Host(zipped()).candles().num_rows == 0
        assert Host(zipped(HEADER)).candles().num_rows == 0


class TestPatience:
    def test_a_checksum_that_is_wrong_once_is_fetched_again(self) -> None:
        packed = zipped(*whole())
        right = hashlib.sha256(packed).hexdigest()
        host = Host(packed, lambda tries: "0" * 64 if tries == 1 else right)
        assert host.candles().num_rows == 24
        assert len(host.waits) == 1

    def test_a_checksum_that_stays_wrong_is_an_error_that_names_the_file(self) -> None:
        host = Host(zipped(*whole()), lambda _: "0" * 64)
        with pytest.raises(ArchiveFileBrokenError, match=r"BTCUSDT-1h-2024-12-31\.zip of BTCUSDT.*sha256"):
            host.candles()
        assert len(host.asked) == 2 * ATTEMPTS

    def test_a_file_that_is_not_published_is_an_error_that_names_it(self) -> None:
        host = Host(None)
        with pytest.raises(
            ArchiveFileMissingError, match=r"/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-12-31\.zip.* of BTCUSDT"
        ):
            host.candles()
        assert len(host.asked) == 1

    @pytest.mark.parametrize(
        "trouble", [httpx.Response(503), httpx.ReadTimeout("slow"), httpx.ReadError("cut")]
    )
    def test_passing_trouble_is_outlasted(self, trouble: Any) -> None:
        host = Host(zipped(*whole()))
        host.before = [trouble] * 3
        assert host.candles().num_rows == 24
        assert len(host.waits) == 3

    def test_lasting_trouble_names_symbol_interval_and_range(self) -> None:
        host = Host(zipped(*whole()))
        host.before = [httpx.Response(500)] * ATTEMPTS
        with pytest.raises(KlinesUnavailableError, match=r"BTCUSDT 1h from 2024-12-31.* to 2025-01-01.*500"):
            host.candles()


def test_times_are_whole_milliseconds() -> None:
    batch = Host(zipped(line(0, 1_000))).candles()
    assert batch.column("close_time").to_pylist() == [from_ms(to_ms(START) + HOUR_MS - 1)]
