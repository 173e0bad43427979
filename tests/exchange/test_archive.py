"""The archive: zips of candles with their checksums."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from datetime import UTC, datetime, timedelta

import httpx
import pytest


def rows_of(answer: httpx.Response) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        (name,) = packed.namelist()
        return list(csv.reader(packed.read(name).decode().splitlines()))


@pytest.mark.parametrize(
    ("path", "day", "scale", "count"),
    [
        ("daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-12-31", "2024-12-31", 1, 1_440),
        ("daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-01-01", "2025-01-01", 1_000, 1_440),
        ("monthly/klines/ETHUSDT/15m/ETHUSDT-15m-2024-02", "2024-02-01", 1, 29 * 96),
        ("monthly/klines/ETHUSDT/1d/ETHUSDT-1d-2025-02", "2025-02-01", 1_000, 28),
    ],
)
def test_a_file_holds_what_rest_serves(
    rest: httpx.Client, path: str, day: str, scale: int, count: int
) -> None:
    answer = rest.get(f"/data/spot/{path}.zip")
    assert answer.status_code == 200
    checksum = rest.get(f"/data/spot/{path}.zip.CHECKSUM").text
    assert checksum == f"{hashlib.sha256(answer.content).hexdigest()}  {path.rsplit('/')[-1]}.zip\n"
    rows = rows_of(answer)
    assert len(rows) == count
    start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000
    assert int(rows[0][0]) == start * scale
    _, _, symbol, interval, _ = path.split("/")
    query = {"symbol": symbol, "interval": interval, "startTime": start, "limit": min(count, 1_000)}
    for row, served in zip(rows, rest.get("/api/v3/klines", params=query).json(), strict=False):
        assert row[1:6] == served[1:6]
        assert row[7:] == [str(field) for field in served[7:]]
        assert int(row[6]) == (served[6] + 1) * scale - 1


def test_a_day_appears_when_it_is_over(rest: httpx.Client) -> None:
    for days, status in ((-1, 200), (0, 404)):
        day = (datetime.now(UTC) + timedelta(days=days)).date()
        assert rest.get(f"/data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-{day}.zip").status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "daily/klines/BTCUSDT/1m/BTCUSDT-1m-2016-01-01.zip",
        "daily/klines/BTCUSDT/1m/ETHUSDT-1m-2024-01-01.zip",
        "daily/klines/NOSUCH/1m/NOSUCH-1m-2024-01-01.zip",
        "daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-13-01.zip",
        "monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip",
    ],
)
def test_what_is_not_there_is_not_found(rest: httpx.Client, path: str) -> None:
    assert rest.get(f"/data/spot/{path}").status_code == 404


def test_a_replays_archive_is_its_record(replay: httpx.Client) -> None:
    rows = rows_of(replay.get("/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-10-29.zip"))
    assert len(rows) == 1_178
    assert rows[0][0] == "1761711720000000"
