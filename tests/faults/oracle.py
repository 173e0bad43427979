"""What the exchange issued, by its own REST, held against what ``streaming_data`` holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import httpx
from pymongo.database import Database

from cryptobot.market import Interval, Kline
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.collections import STREAMING_DATA

Db = Database[dict[str, Any]]
_SHOWN = 5
_EXACT = 1e-9
_TRADE_FIELDS = ("trade_id", "price", "buyer_is_maker", "event_time", "quantity")


class _Trade(NamedTuple):
    price: float
    buyer_is_maker: bool
    time_ms: int
    quantity: float


@dataclass
class Verdict:
    """What is wrong with the stored trades and candles, and how many were issued."""

    trades: int = 0
    candles: int = 0
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether all that was issued is stored, once and as it was, and nothing else."""
        return not (self.missing or self.doubled or self.invented or self.changed)

    def __str__(self) -> str:
        faults = {name: getattr(self, name) for name in ("missing", "doubled", "invented", "changed")}
        told = "; ".join(
            f"{len(found):,} {name}{': ' if found else ''}{', '.join(found[:_SHOWN])}"
            for name, found in faults.items()
        )
        return f"{self.trades:,} trades and {self.candles:,} closed candles issued; {told}"


class Oracle:
    """Knows from when on each symbol was streamed, and asks the exchange for all that came since."""

    def __init__(self, rest_url: str, database: Db, symbols: tuple[str, ...]) -> None:
        self._rest = httpx.Client(base_url=rest_url, timeout=30)
        self._database = database
        self._first: dict[str, tuple[int, int]] = {}
        for symbol in symbols:
            first = database[STREAMING_DATA].find_one(
                {"kind": "trade", "symbol": symbol}, sort=[("trade_id", 1)]
            )
            assert first is not None, f"{symbol}: no trade was streamed"
            self._first[symbol] = (first["trade_id"], to_ms(first["event_time"]))

    def judge(self, until_ms: int, intervals: tuple[str, ...]) -> Verdict:
        """Compare all trades and closed candles from the first streamed trade up to ``until_ms``."""
        verdict = Verdict()
        for symbol in self._first:
            self._judge_trades(symbol, until_ms, verdict)
            for interval in intervals:
                self._judge_candles(symbol, Interval(interval), until_ms, verdict)
        return verdict

    def _judge_trades(self, symbol: str, until_ms: int, verdict: Verdict) -> None:
        first_id, _ = self._first[symbol]
        query = {"kind": "trade", "symbol": symbol, "event_time": {"$lte": from_ms(until_ms)}}
        stored: dict[int, _Trade] = {}
        for found in self._database[STREAMING_DATA].find(query, _TRADE_FIELDS):
            if found["trade_id"] in stored or found["_id"] != f"trade|{symbol}|{found['trade_id']}":
                verdict.doubled.append(str(found["_id"]))
            stored[found["trade_id"]] = _Trade(
                found["price"], found["buyer_is_maker"], to_ms(found["event_time"]), found["quantity"]
            )
        for aggregate in self._aggregates(symbol, until_ms):
            ids = range(max(aggregate["f"], first_id), aggregate["l"] + 1)
            kept = [stored.pop(trade_id, None) for trade_id in ids]
            verdict.trades += len(ids)
            issued = float(aggregate["p"]), aggregate["m"], aggregate["T"]
            for trade_id, trade in zip(ids, kept, strict=True):
                if trade is None:
                    verdict.missing.append(f"trade|{symbol}|{trade_id}")
                elif trade[:3] != issued:
                    verdict.changed.append(f"trade|{symbol}|{trade_id}")
            if ids.start == aggregate["f"] and None not in kept:
                quantity = sum(trade.quantity for trade in kept if trade is not None)
                if abs(quantity - float(aggregate["q"])) > _EXACT * max(quantity, 1):
                    verdict.changed.append(f"quantity of trade|{symbol}|{ids.start}..{ids.stop - 1}")
        verdict.invented += [f"trade|{symbol}|{trade_id}" for trade_id in stored]

    def _aggregates(self, symbol: str, until_ms: int) -> Iterator[dict[str, Any]]:
        first_id, first_ms = self._first[symbol]
        asked: dict[str, Any] = {"startTime": first_ms}
        while True:
            page = self._get("aggTrades", symbol=symbol, limit=1_000, **asked)
            for aggregate in page:
                if aggregate["T"] > until_ms:
                    return
                if aggregate["l"] >= first_id:
                    yield aggregate
            if not page:
                return
            asked = {"fromId": page[-1]["a"] + 1}

    def _judge_candles(self, symbol: str, interval: Interval, until_ms: int, verdict: Verdict) -> None:
        _, first_ms = self._first[symbol]
        length = interval.milliseconds
        query = {"kind": "kline", "symbol": symbol, "interval": interval.value}
        stored = {found["_id"]: found for found in self._database[STREAMING_DATA].find(query)}
        start_ms, end_ms = first_ms - first_ms % length, until_ms - until_ms % length
        while start_ms < end_ms:
            asked = {"startTime": start_ms, "endTime": end_ms - 1, "limit": 1_000}
            rows = self._get("klines", symbol=symbol, interval=interval.value, **asked)
            for row in rows:
                self._judge_candle(Kline.from_rest(symbol, interval, row), stored, verdict)
            start_ms = rows[-1][0] + length if rows else end_ms
        verdict.invented += [name for name, found in stored.items() if to_ms(found["open_time"]) < end_ms]

    def _judge_candle(self, issued: Kline, stored: dict[str, dict[str, Any]], verdict: Verdict) -> None:
        name = f"kline|{issued.key}"
        verdict.candles += 1
        found = stored.pop(name, None)
        expected = asdict(issued) | {"interval": issued.interval.value}
        if found is None:
            verdict.missing.append(name)
        elif any(found.get(part) != value for part, value in expected.items()):
            verdict.changed.append(name)

    def _get(self, path: str, **params: Any) -> Any:
        while True:
            answer = self._rest.get(f"/api/v3/{path}", params=params)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return answer.raise_for_status().json()
            time.sleep(int(answer.headers["Retry-After"]))
