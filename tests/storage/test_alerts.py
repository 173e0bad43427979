"""Looking back on alerts and signals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.decisions.alerts import Alert, raise_alert
from cryptobot.storage.alerts import raised_since
from cryptobot.storage.signals import add_signals, signals_since

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_alerts_come_in_the_order_in_which_they_were_raised(database: Database[dict[str, Any]]) -> None:
    for hour in (3, 0, 2, 1):
        at = START + timedelta(hours=hour)
        raise_alert(database, Alert("price_move", f"move-{hour}", "info", "BTCUSDT", "t", "m", at), at)
    found = [alert["_id"] for alert in raised_since(database, START + timedelta(hours=1))]
    assert found == ["move-1", "move-2", "move-3"]


def test_signals_are_those_of_the_symbol_and_interval(database: Database[dict[str, Any]]) -> None:
    kept = [("BTCUSDT", "15m", 1), ("BTCUSDT", "15m", 0), ("BTCUSDT", "1h", 1), ("ETHUSDT", "15m", 1)]
    add_signals(
        database,
        [
            {
                "_id": f"{symbol}|{interval}|{hour}",
                "symbol": symbol,
                "interval": interval,
                "open_time": START + timedelta(hours=hour),
            }
            for symbol, interval, hour in kept
        ],
    )
    found = [signal["_id"] for signal in signals_since(database, "BTCUSDT", "15m", START)]
    assert found == ["BTCUSDT|15m|0", "BTCUSDT|15m|1"]
    assert not list(signals_since(database, "BTCUSDT", "15m", START + timedelta(hours=2)))
