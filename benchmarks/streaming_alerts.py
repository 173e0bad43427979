"""From a closed candle to the alert's document: with real models, on candles of a second.

Each second closes a candle of both symbols, and the rule of price moves is set so low that nearly every
candle is an alert. The latency is the time at which a change stream of ``alerts`` shows the document,
which a majority then holds, less the event time of the closed candle.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime

import httpx
from pymongo.database import Database

from benchmarks.streaming_latency import percentiles
from benchmarks.streaming_path import PAIR, LivePath, Servers, running_path
from cryptobot.market import Interval, Kline
from cryptobot.market.instant import to_ms
from cryptobot.storage import live
from cryptobot.storage.collections import ALERTS, STREAMING_DATA
from cryptobot.storage.database import Document
from tests.faults import live_servers
from tests.faults.live_parts import supervised
from tests.servers import wait_until
from tests.serving.bundles import KEY
from tests.serving.models import promote_model

TRADES_PER_SECOND = 1_000
_INTERVAL = Interval.SECOND_1
_START_S = 90.0
_MINUTES = 2
_AWAIT_MS = 200
_ANY_AGE_DAYS = "36500"
_RULES = (
    '{"price_move": {"deviations": 1e-9, "least_pct": 0, "cooldown_minutes": 0},'
    ' "unusual_volume": {"enabled": false}, "volatility_regime": {"enabled": false}}'
)


class _Watcher(threading.Thread):
    """Notes how old the candle of each alert is when its document can be read."""

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(name="alerts", daemon=True)
        self._changes = database[ALERTS].watch(
            [{"$match": {"operationType": "insert", "fullDocument.kind": "price_move"}}],
            max_await_time_ms=_AWAIT_MS,
        )
        self._over = threading.Event()
        self.latencies_ms: list[float] = []

    def run(self) -> None:
        """Follow the alerts until :meth:`end`."""
        with self._changes as changes:
            while not self._over.is_set():
                change = changes.try_next()
                if change is not None:
                    sent_ms = to_ms(change["fullDocument"]["at"]) + 1
                    self.latencies_ms.append(time.time() * 1_000 - sent_ms)

    def end(self) -> None:
        """Follow no more."""
        self._over.set()
        self.join()


def measure_alerts(servers: Servers, seconds: float) -> dict[str, float]:
    """Return the percentiles of the latency, and ``count``, how many alerts they are of."""
    with running_path(servers, TRADES_PER_SECOND, PAIR, (_INTERVAL.value,), minutes=_MINUTES) as path:
        candles = path.database[STREAMING_DATA]
        wait_until(lambda: candles.count_documents({"kind": "kline"}) >= 2, limit=_START_S, what="candles")
        _prepare(path)
        settings = path.settings.model_copy(update={"bundle_key": KEY})
        env = {"CRYPTOBOT_ALERT_RULES": _RULES, "CRYPTOBOT_MODEL_MAX_AGE_DAYS": _ANY_AGE_DAYS}
        signals = live_servers.daemon("signals", settings, servers.folder, **env)
        with supervised([signals]):
            wait_until(
                lambda: path.database[ALERTS].count_documents({"kind": "price_move"}) >= len(PAIR),
                limit=_START_S,
                what=f"the first alerts, see {signals.log}",
            )
            watcher = _Watcher(path.database)
            watcher.start()
            time.sleep(seconds)
            watcher.end()
    found = percentiles(watcher.latencies_ms) | {"count": float(len(watcher.latencies_ms))}
    print("alerts: " + ", ".join(f"{name} {value:,.0f}" for name, value in found.items()), flush=True)
    return found


def _prepare(path: LivePath) -> None:
    """Store the candles before the first streamed one, and a champion of each symbol."""
    for symbol, other in (PAIR, PAIR[::-1]):
        query = {"symbol": symbol, "interval": _INTERVAL.value, "limit": 1_000}
        rows = httpx.get(f"{path.exchange.url}/api/v3/klines", params=query).raise_for_status().json()
        live.insert_new(path.database, [_document(symbol, row) for row in rows[:-1]])
        promote_model(path.database, symbol=symbol, other_symbol=other, interval=_INTERVAL.value)


def _document(symbol: str, row: list[object]) -> Document:
    kline = Kline.from_rest(symbol, _INTERVAL, row)
    return {
        "_id": f"kline|{kline.key}",
        "kind": "kline",
        **asdict(kline),
        "interval": kline.interval.value,
        "received_at": datetime.now(UTC),
        "source": "rest",
    }
