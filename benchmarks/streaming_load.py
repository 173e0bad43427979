"""One load on the live path: does it keep up, how old is what it stores, what does each process take."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from benchmarks.streaming_latency import Reader, percentiles
from benchmarks.streaming_path import PAIR, LivePath, Meter, Servers, Use, running_path
from cryptobot.market.instant import to_ms
from cryptobot.storage.collections import STREAMING_DATA
from tests.faults.oracle import Oracle, Verdict
from tests.servers import wait_until

SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
"""How long each load is measured; shorter is rougher."""
_GROWTH_S = 0.5
_BEHIND_S = 2.0
_START_S = 90.0
_CATCH_UP_S = 60.0
_READ_SYMBOLS = 4
"""The reader follows so many symbols; more would make its own questions the load."""


@dataclass(frozen=True)
class Load:
    """What a load was and did. Rates are trades a second, lags and latencies ms."""

    stored_per_s: float
    lag_ms: float
    kept_up: bool
    latency_ms: dict[str, float]
    use: dict[str, Use]

    def told(self) -> str:
        """Return it in a line."""
        latency = ", ".join(f"{name} {value:,.0f}" for name, value in self.latency_ms.items())
        use = ", ".join(
            f"{name} {one.cpu_pct:.0f} % {one.memory_mb:.0f} MiB" for name, one in self.use.items()
        )
        kept = "kept up" if self.kept_up else "fell behind"
        return f"{self.stored_per_s:,.0f}/s {kept}, {self.lag_ms:.0f} ms behind; {latency} ms; {use}"


def measure(
    servers: Servers,
    trades_per_second: float,
    *,
    symbols: tuple[str, ...] = PAIR,
    latency: bool = True,
    seconds: float = SECONDS,
) -> Load:
    """Run the path at one load; raises ``RuntimeError`` when a trade or candle is lost or doubled."""
    with running_path(servers, trades_per_second, symbols) as path:
        await_trades(path)
        oracle = Oracle(path.exchange.url, path.database, symbols)
        path.exchange.settle()
        load = _measured(path, seconds, latency=latency)
        if load.kept_up:
            nothing_lost(path, oracle)
    print(f"{trades_per_second:,.0f}/s of {len(symbols)} symbols: {load.told()}", flush=True)
    return load


def _measured(path: LivePath, seconds: float, *, latency: bool) -> Load:
    reader = Reader(path.database, path.settings.symbols[:_READ_SYMBOLS]) if latency else None
    meter, counted, began = Meter(path.parts), _stored(path), time.monotonic()
    if reader is not None:
        reader.start()
    lags = []
    while time.monotonic() - began < seconds:
        time.sleep(1)
        lags.append(_lag_ms(path))
    passed = time.monotonic() - began
    stored, use = (_stored(path) - counted) / passed, meter.read(passed)
    if reader is not None:
        reader.end()
    half = len(lags) // 2
    before, after = sum(lags[:half]) / half, sum(lags[half:]) / (len(lags) - half)
    return Load(
        stored_per_s=stored,
        lag_ms=after,
        kept_up=after - before < _GROWTH_S * 1_000 and after < _BEHIND_S * 1_000,
        latency_ms=percentiles(reader.latencies_ms) if reader is not None else {},
        use=use,
    )


def await_trades(path: LivePath) -> None:
    """Wait until trades are stored."""
    wait_until(lambda: _newest_ms(path) > 0, limit=_START_S, what="a trade of each symbol", pause=0.5)


def nothing_lost(path: LivePath, oracle: Oracle) -> Verdict:
    """Compare what was issued until now with what is stored; raises ``RuntimeError`` where they differ."""
    until_ms = time.time_ns() // 1_000_000
    wait_until(lambda: _newest_ms(path) > until_ms, limit=_CATCH_UP_S, what="what was issued", pause=0.5)
    verdict = oracle.judge(until_ms, path.settings.intervals)
    if not verdict.sound:
        raise RuntimeError(f"the path lost or invented events: {verdict}")
    return verdict


def _stored(path: LivePath) -> int:
    return int(path.database[STREAMING_DATA].estimated_document_count())


def _lag_ms(path: LivePath) -> float:
    return max(0.0, time.time() * 1_000 - _newest_ms(path))


def _newest_ms(path: LivePath) -> int:
    """Return the event time of the oldest of the newest trades of some symbols; 0 while one has none."""
    newest = []
    for symbol in path.settings.symbols[-_READ_SYMBOLS:]:
        query = {"kind": "trade", "symbol": symbol}
        found = path.database[STREAMING_DATA].find_one(query, sort=[("trade_id", -1)])
        newest.append(to_ms(found["event_time"]) if found else 0)
    return min(newest)
