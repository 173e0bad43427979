"""Rows that are not as they should be, by REST and archive alike, and answers cut or refused."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from typing import Any

import httpx
import pytest

Pair = tuple[httpx.Client, httpx.Client]

DAY = "2024-03-05"
DAY_MS = 1_709_596_800_000
MINUTE_MS = 60_000
PAGE = f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={DAY_MS}&limit=1000"
ZIP = f"/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-{DAY}.zip"


def page(client: httpx.Client, path: str = PAGE) -> list[list[Any]]:
    return client.get(path).raise_for_status().json()


def archived(client: httpx.Client) -> list[list[str]]:
    packed = client.get(ZIP).raise_for_status().content
    checksum = client.get(f"{ZIP}.CHECKSUM").raise_for_status().text
    assert checksum.split()[0] == hashlib.sha256(packed).hexdigest()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return list(csv.reader(archive.read(archive.namelist()[0]).decode().splitlines()))


def minutes(rows: list[list[Any]]) -> list[int]:
    return [(int(row[0]) - DAY_MS) // MINUTE_MS for row in rows]


def test_rows_are_repeated_the_same_ones_each_time(faulty: Pair) -> None:
    client, admin = faulty
    whole = page(client)
    admin.post("/faults", json={"repeated_rows": 0.1})
    rows = page(client)
    assert sorted(set(minutes(rows))) == minutes(whole)
    repeated = {m for m in minutes(rows) if minutes(rows).count(m) == 2}
    assert 60 < len(repeated) < 140
    assert page(client) == rows
    files = minutes(archived(client))
    assert {m for m in files if files.count(m) == 2 and m < 1_000} == repeated
    admin.post("/faults", json={"seed": 1})
    assert page(client) != rows


def test_rows_are_out_of_order_and_nothing_else(faulty: Pair) -> None:
    client, admin = faulty
    whole = page(client)
    admin.post("/faults", json={"unordered_rows": 0.1})
    rows = page(client)
    assert rows != whole
    assert sorted(rows) == whole
    files = minutes(archived(client))
    assert files != sorted(files)
    assert sorted(files) == list(range(1_440))


def test_broken_rows_are_short_no_number_or_impossible(faulty: Pair) -> None:
    client, admin = faulty
    whole = page(client)
    admin.post("/faults", json={"broken_rows": 0.1})
    rows = page(client)
    assert minutes(rows) == minutes(whole)
    short = [row for row in rows if len(row) < 12]
    worded = [row for row in rows if row[1] == "n/a"]
    impossible = [row for row in rows if float(row[2]) < float(row[3])]
    assert min(len(short), len(worded), len(impossible)) > 15
    assert 60 < len(short) + len(worded) + len(impossible) < 140
    kept = [row for row in rows if row in whole]
    assert len(kept) == 1_000 - len(short) - len(worded) - len(impossible)
    spoiled = set(minutes(rows)) - set(minutes(kept))
    files = archived(client)
    broken = [row for row in files if len(row) < 12 or row[1] == "n/a" or float(row[2]) < float(row[3])]
    assert {m for m in minutes(broken) if m < 1_000} == spoiled


def test_a_page_without_missing_candles_is_as_full_as_the_exchange_fills_it(faulty: Pair) -> None:
    client, admin = faulty
    admin.post("/faults", json={"missing_candles": 0.3})
    rows = page(client)
    assert len(rows) == 1_000
    assert minutes(rows) == sorted(set(minutes(rows)))
    assert minutes(rows)[-1] > 1_300
    bounded = page(client, f"{PAGE}&endTime={DAY_MS + 999 * MINUTE_MS}")
    assert 600 < len(bounded) < 800
    of_day = [m for m in minutes(rows) if m < 1_440]
    assert minutes(archived(client))[: len(of_day)] == of_day


def test_a_correction_changes_a_candle_and_keeps_it_possible(faulty: Pair) -> None:
    client, admin = faulty
    whole = page(client)
    admin.post("/faults", json={"corrected_candles": 0.1})
    rows = page(client)
    changed = [(old, new) for old, new in zip(whole, rows, strict=True) if old != new]
    assert 60 < len(changed) < 140
    assert all(new == [*old[:8], old[8] + 1, *old[9:]] for old, new in changed)


@pytest.mark.parametrize(("fault", "path"), [("cut_share", PAGE), ("archive_cut", ZIP)])
def test_an_answer_is_cut_in_the_middle_of_its_body(faulty: Pair, fault: str, path: str) -> None:
    client, admin = faulty
    whole = client.get(path).content
    admin.post("/faults", json={fault: 1})
    received: list[bytes] = []

    def receive() -> None:
        with client.stream("GET", path, headers={"Accept-Encoding": "identity"}) as answer:
            received.extend(answer.iter_raw())

    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        receive()
    assert b"".join(received) == whole[: len(whole) // 2]


@pytest.mark.parametrize(("status", "retry_after"), [(429, "1"), (418, "120")])
def test_a_storm_ends_by_itself(faulty: Pair, status: int, retry_after: str) -> None:
    client, admin = faulty
    admin.post("/faults", json={"status": status, "times": 3})
    answers = [client.get("/api/v3/time") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [status] * 3 + [200, 200]
    assert answers[0].headers["Retry-After"] == retry_after
    admin.post("/faults", json={"status": status, "times": 1, "retry_after_s": 7})
    assert client.get("/api/v3/time").headers["Retry-After"] == "7"
    assert admin.get("/faults").json()["status"] == 0


def test_files_of_the_archive_are_missing_with_their_checksums(faulty: Pair) -> None:
    client, admin = faulty
    admin.post("/faults", json={"archive_missing": 0.5})
    names = [f"/data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-03-{day:02}.zip" for day in range(1, 31)]
    found = [client.get(name).status_code for name in names]
    assert 5 < found.count(404) < 25
    assert [client.get(f"{name}.CHECKSUM").status_code for name in names] == found
    admin.post("/faults", json={"archive_missing": 1})
    assert {client.get(name).status_code for name in names} == {404}


def test_a_checksum_is_wrong_as_often_as_asked(faulty: Pair) -> None:
    client, admin = faulty
    right = client.get(f"{ZIP}.CHECKSUM").text
    admin.post("/faults", json={"archive_wrong_checksum": 1, "times": 2})
    given = [client.get(f"{ZIP}.CHECKSUM").text for _ in range(4)]
    assert given[0] == given[1] != right
    assert given[2:] == [right, right]
    assert len(given[0]) == len(right)


def test_the_archive_refuses_and_then_answers(faulty: Pair) -> None:
    client, admin = faulty
    admin.post("/faults", json={"archive_status": 503, "times": 1})
    assert [client.get(ZIP).status_code for _ in range(2)] == [503, 200]


def test_a_file_begins_with_a_header_as_asked(faulty: Pair) -> None:
    client, admin = faulty
    admin.post("/faults", json={"archive_header": True})
    header, *rows = archived(client)
    assert header[:2] == ["open_time", "open"]
    assert len(header) == len(rows[0]) == 12
    admin.delete("/faults")
    assert archived(client) == rows
