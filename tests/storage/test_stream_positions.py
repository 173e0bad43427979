from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.storage.stream_positions import StreamPosition, load_positions, save_positions

TRADES = StreamPosition("trade", "BTCUSDT", None, 7_000_000_000, 1_700_000_000_000)
CANDLES = StreamPosition("kline", "BTCUSDT", "1m", 1_700_000_040_000, 1_700_000_040_000)


class TestStreamPositions:
    def test_are_read_back_as_they_were_saved_last(self, database: Database[dict[str, Any]]) -> None:
        save_positions(database, "offline", [TRADES._replace(position=5), CANDLES])
        save_positions(database, "offline", [TRADES])
        save_positions(database, "offline", [])
        found = load_positions(database, "offline", ["BTCUSDT", "ETHUSDT"])
        assert sorted(found) == sorted([TRADES, CANDLES])
        assert database.stream_positions.distinct("_id") == ["kline|BTCUSDT|1m", "trade|BTCUSDT"]

    def test_are_of_one_exchange_and_of_the_symbols_followed(
        self, database: Database[dict[str, Any]]
    ) -> None:
        save_positions(database, "offline", [TRADES])
        assert load_positions(database, "binance", ["BTCUSDT"]) == []
        assert load_positions(database, "offline", ["ETHUSDT"]) == []

    def test_of_trades_end_with_the_time_for_which_trades_are_kept(
        self, database: Database[dict[str, Any]]
    ) -> None:
        save_positions(database, "offline", [TRADES, CANDLES])
        long_ago = datetime.now(UTC) - timedelta(days=4)
        database.stream_positions.update_many({}, {"$set": {"updated_at": long_ago}})
        assert load_positions(database, "offline", ["BTCUSDT"]) == [CANDLES]
