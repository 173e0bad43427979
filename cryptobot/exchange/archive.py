"""The public archive: a zip of candles a day or a month, verified by its checksum before it is read."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Callable
from datetime import datetime

import httpx
import pyarrow as pa

from cryptobot.exchange.archive_csv import read_candles
from cryptobot.exchange.archive_files import ArchiveFile, Part
from cryptobot.exchange.errors import (
    ArchiveFileBrokenError,
    ArchiveFileMissingError,
    ExchangeUnavailableError,
    KlinesUnavailableError,
)
from cryptobot.exchange.patience import TIMEOUT, TransientError, failure, patiently

_NOT_FOUND = 404
_LARGEST_CSV = 256 * 2**20
"""Bytes of one file's CSV; the largest that is published for a day of seconds has about 15 MB."""


class _WrongChecksumError(TransientError):
    """A file that is not what its checksum says: cut on the way, or replaced between the two answers."""


class Archive:
    """Reads the archive's files; blocking, and safe to share between threads.

    Parameters
    ----------
    base_url
        Address of the archive, such as ``https://data.binance.vision``.
    transport
        Replaces the network.
    sleep
        Waits so many seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT, transport=transport)
        self._sleep = sleep

    def candles(self, part: Part, now: datetime) -> pa.RecordBatch:
        """Return the part's candles that have closed by ``now``, sorted by open time.

        The columns are those of :data:`cryptobot.exchange.candle_columns.SCHEMA`.

        Raises
        ------
        ArchiveFileMissingError
            When the file is not published.
        ArchiveFileBrokenError
            When what is published is not the file that its checksum says, or holds no candles of
            its symbol, interval and time.
        KlinesUnavailableError
            When the archive gives no usable answer.
        """
        try:
            packed = self.fetch(part.file)
        except ExchangeUnavailableError as error:
            span = part.span
            start, end = span.start.isoformat(), span.end.isoformat()
            raise KlinesUnavailableError(span.symbol, span.interval, start, end, error) from error
        return read_candles(_unpacked(packed, part.file), part, now)

    def fetch(self, file: ArchiveFile) -> bytes:
        """Return the zip of ``file``, verified; a file that its checksum contradicts is fetched again."""
        try:
            return patiently(lambda: self._fetch_once(file), f"{self._http.base_url}{file.path}", self._sleep)
        except ExchangeUnavailableError as error:
            if isinstance(error.__cause__, _WrongChecksumError):
                raise ArchiveFileBrokenError(file.symbol, file.path, str(error.__cause__)) from error
            raise

    def _fetch_once(self, file: ArchiveFile) -> bytes:
        expected = self._get(file, f"{file.path}.CHECKSUM")[:64].decode("ascii", "replace").lower()
        packed = self._get(file, file.path)
        actual = hashlib.sha256(packed).hexdigest()
        if actual != expected:
            raise _WrongChecksumError(f"its sha256 is {actual}, but its checksum file says {expected!r:.70}")
        return packed

    def _get(self, file: ArchiveFile, path: str) -> bytes:
        try:
            response = self._http.get(path)
        except httpx.TransportError as error:
            raise TransientError(f"{type(error).__name__}: {error}") from error
        if response.status_code == _NOT_FOUND:
            raise ArchiveFileMissingError(file.symbol, f"{self._http.base_url}{path}")
        if response.is_error:
            raise failure(response)
        return response.content


def _unpacked(packed: bytes, file: ArchiveFile) -> bytes:
    """Return the one CSV inside the zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            (entry,) = archive.infolist()
            if entry.file_size > _LARGEST_CSV:
                raise ArchiveFileBrokenError(file.symbol, file.path, f"it unpacks to {entry.file_size} bytes")
            return archive.read(entry)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise ArchiveFileBrokenError(file.symbol, file.path, f"it is no zip of one file: {error}") from error
