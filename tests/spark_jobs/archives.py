"""An archive of recorded candles, laid out and served as the exchange publishes its own."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import io
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptobot.market.instant import from_ms

HOUR_MS = 3_600_000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output to the test's own."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve ``folder`` on loopback; yield its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def publish(root: Path, symbol: str, date: str, text: str) -> None:
    """Write the zip of a month's hours, or of a day's, and its checksum."""
    name = f"{symbol}-1h-{date}"
    kind = "monthly" if len(date) == len("2020-11") else "daily"
    folder = root / "data/spot" / kind / "klines" / symbol / "1h"
    folder.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", text)
    content = packed.getvalue()
    (folder / f"{name}.zip").write_bytes(content)
    (folder / f"{name}.zip.CHECKSUM").write_text(f"{hashlib.sha256(content).hexdigest()}  {name}.zip\n")


def publish_dirty(root: Path, source: Path, symbol: str) -> list[datetime]:
    """Publish a file of ``dirty``, by months and by days; return the open times of its rows, in order.

    Its columns are time in seconds, open, close, low, high, volume, trades.
    """
    files: dict[str, list[str]] = defaultdict(list)
    times = []
    with source.open() as file:
        for second, opened, close, low, high, volume, trades in csv.reader(file):
            open_ms = int(second) * 1_000
            times.append(from_ms(open_ms))
            wire = [open_ms, opened, high, low, close, volume, open_ms + HOUR_MS - 1, 0, trades, 0, 0, 0]
            for date in (f"{times[-1]:%Y-%m}", f"{times[-1]:%Y-%m-%d}"):
                files[date].append(",".join(map(str, wire)))
    for date, lines in files.items():
        publish(root, symbol, date, "\n".join(lines) + "\n")
    return times
