"""A small product's database for the notebooks: history, live data, features, signals and alerts.

The market is seeded and always the same; only its days are those just past, because live trades
expire.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from pymongo.database import Database

from cryptobot.alert_settings import AlertRules
from cryptobot.decisions.alerts import raise_alert
from cryptobot.decisions.decision import Decision
from cryptobot.decisions.rules import Moment, judge
from cryptobot.decisions.signals import signal_document
from cryptobot.features import FEATURE_SET, compute, other_symbol
from cryptobot.learning.signal import CLASSES, signals
from cryptobot.market import Interval, Span, kline_id
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.serving.manifest import Manifest, Window
from cryptobot.storage import backtests
from cryptobot.storage.gaps import ABSENT, find_gaps, record_states
from cryptobot.storage.live import insert_new
from infra.exchange.bars import Bars
from infra.exchange.fills import trades_of
from infra.exchange.synthetic import SyntheticMarket
from tests.serving.bundles import manifest
from tests.serving.recorded_backtest import judged

QUARTER, MINUTE = Interval.MINUTE_15, Interval.MINUTE_1
SYMBOLS = ("BTCUSDT", "ETHUSDT")
LAST_MIDNIGHT = datetime(2025, 6, 1, tzinfo=UTC)
"""Where the seeded market ends, before its days become those just past."""
_HOLE = slice(700, 704)
_LIVE_MINUTES = 6

Db = Database[dict[str, Any]]


def seed(database: Db, days: int = 16, signal_strength: float = 0.0) -> None:
    """Fill ``database`` with ``days`` of both symbols' candles and all that is made of them."""
    market = SyntheticMarket(SYMBOLS, seed=7, signal_strength=signal_strength, trades_per_second=20)
    quarters = {symbol: candles(market, symbol, QUARTER, days) for symbol in SYMBOLS}
    quarters["BTCUSDT"] = (
        quarters["BTCUSDT"].drop(index=range(_HOLE.start, _HOLE.stop)).reset_index(drop=True)
    )
    for symbol, frame in quarters.items():
        store_history(database, frame)
        store_history(database, candles(market, symbol, MINUTE, 1))
        store_live(database, market, symbol)
        beside = other_symbol(symbol, SYMBOLS)
        computed = compute(frame, quarters[beside] if beside else None, QUARTER)
        store_features(database, frame, computed)
        tell(database, frame, computed)
    frame = quarters["BTCUSDT"]
    span = Span("BTCUSDT", QUARTER, frame["open_time"].iloc[0], frame["close_time"].iloc[-1])
    holes = find_gaps(span, [at.to_pydatetime() for at in frame["open_time"]])
    record_states(database, span, [(hole, ABSENT) for hole in holes], found_by="the exchange")
    backtests.save(database, judged()[1])


def candles(market: SyntheticMarket, symbol: str, interval: Interval, days: int) -> pd.DataFrame:
    """Return the candles of the last ``days`` before this midnight (UTC)."""
    end = to_ms(LAST_MIDNIGHT)
    bars = market.candles(symbol, interval, end - days * 86_400_000, end)
    return _frame(bars, market, symbol, interval)


def store_history(database: Db, frame: pd.DataFrame) -> None:
    """Insert candles as the historical job writes them."""
    made = {"source": "rest", "ingested_at": datetime.now(UTC)}
    database["historical_data"].insert_many([{**row, **made} for row in frame.to_dict("records")])


def store_live(database: Db, market: SyntheticMarket, symbol: str) -> None:
    """Insert the newest minutes as they come by WebSocket, with their trades."""
    random = np.random.default_rng(3)
    minutes = candles(market, symbol, MINUTE, 1).tail(3 * 60)
    klines = [
        {**row, "_id": f"kline|{row['_id']}", "kind": "kline", "source": "stream"}
        for row in minutes.to_dict("records")
    ]
    for kline in klines:
        kline["received_at"] = kline["close_time"] + timedelta(milliseconds=float(random.gamma(4, 8)))
    instrument, end = market.instruments[symbol], to_ms(LAST_MIDNIGHT)
    bars = market.finest(symbol, end - _LIVE_MINUTES * 60_000, end)
    trades = []
    for row in range(len(bars)):
        made = trades_of(bars, row, market.rng(symbol, int(bars.open_ms[row])))
        for at, price, quantity, sold, number in zip(
            made.time_ms, made.price, made.quantity, made.buyer_is_maker, made.trade_id, strict=True
        ):
            event_time = from_ms(int(at)) + _shift()
            trades.append(
                {
                    "_id": f"trade|{symbol}|{number}",
                    "kind": "trade",
                    "symbol": symbol,
                    "trade_id": int(number),
                    "price": int(price) / 10**instrument.price_decimals,
                    "quantity": int(quantity) / 10**instrument.quantity_decimals,
                    "buyer_is_maker": bool(sold),
                    "event_time": event_time,
                    "received_at": event_time + timedelta(milliseconds=float(random.gamma(4, 6))),
                    "source": "stream",
                }
            )
    insert_new(database, [*klines, *trades])


def store_features(database: Db, frame: pd.DataFrame, computed: pd.DataFrame) -> None:
    """Insert the feature set's values, nulls where they are not known."""
    rows = zip(frame.to_dict("records"), computed.to_numpy(), strict=True)
    database["features"].insert_many(
        [
            {
                "_id": f"{row['_id']}|{FEATURE_SET.version}",
                **{name: row[name] for name in ("symbol", "interval", "open_time")},
                "version": FEATURE_SET.version,
                "values": {
                    name: None if np.isnan(value) else float(value)
                    for name, value in zip(computed.columns, values, strict=True)
                },
            }
            for row, values in rows
        ]
    )


def tell(database: Db, frame: pd.DataFrame, computed: pd.DataFrame) -> None:
    """Store the live signals of a model that knows nothing, and raise what the rules find."""
    symbol = str(frame["symbol"].iloc[0])
    random = np.random.default_rng(11)
    logits = np.array([0.0, 0.45, 0.0]) + random.normal(0, 0.22, (len(frame), 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    half = len(frame) // 2
    made = _model(symbol, frame["open_time"].iloc[0], frame["open_time"].iloc[half])
    called = signals(probabilities, made.thresholds)
    documents = []
    rows = list(zip(frame.to_dict("records"), computed.to_dict("records"), strict=True))
    for at in range(half + 1, len(frame)):
        candle, features = rows[at]
        decision = Decision(
            CLASSES[called[at]],
            dict(zip(CLASSES, map(float, probabilities[at]), strict=True)),
            float(probabilities[at, called[at]]),
        )
        signal = signal_document(
            made, candle, decision, source="live", created_at=candle["close_time"] + timedelta(seconds=1)
        )
        documents.append(signal | {"_id": f"{candle['_id']}|live", "late": False})
        _judge(database, candle, features, signal)
    database["signals"].insert_many(documents)


def _judge(database: Db, candle: dict[str, Any], features: dict[str, float], signal: dict[str, Any]) -> None:
    moment = Moment(
        candle["symbol"],
        candle["interval"],
        candle["open_time"],
        candle["close_time"],
        candle["close"],
        {name: value for name, value in features.items() if not np.isnan(value)},
        signal,
        fit=True,
    )
    for alert in judge(moment, AlertRules()):
        raise_alert(database, alert, candle["close_time"] + timedelta(milliseconds=80))


def _model(symbol: str, start: datetime, end: datetime) -> Manifest:
    made = manifest(symbol=symbol, fit=True, window=Window(start=start, end=end))
    return made.model_copy(update={"version": f"{symbol}-20250101T000000Z-00000000"})


@lru_cache
def _shift() -> timedelta:
    """Return what brings the market's last midnight to today's; the same for all that is seeded."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - LAST_MIDNIGHT


def _frame(bars: Bars, market: SyntheticMarket, symbol: str, interval: Interval) -> pd.DataFrame:
    instrument = market.instruments[symbol]
    tick, lot = 10.0**-instrument.price_decimals, 10.0**-instrument.quantity_decimals
    times = pd.to_datetime(bars.open_ms, unit="ms", utc=True) + _shift()
    columns = {name: getattr(bars, name) * tick for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame(
        {
            "symbol": symbol,
            "interval": interval.value,
            "open_time": times,
            "close_time": times + pd.Timedelta(milliseconds=interval.milliseconds - 1),
            **columns,
            "volume": bars.volume * lot,
            "quote_volume": bars.quote * (tick * lot),
            "trades": bars.trades,
            "taker_buy_base": bars.taker_base * lot,
            "taker_buy_quote": bars.taker_quote * (tick * lot),
        }
    )
    frame.insert(0, "_id", [kline_id(symbol, interval.value, to_ms(at.to_pydatetime())) for at in times])
    return frame
