"""Whether history holds what the exchange has of the days that are over, by the exchange's clock.

In a replay the record ends in the past: the exchange is asked what it has beyond the newest stored
candle, and where that is nothing, nothing is lacking.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pymongo import DESCENDING
from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.settings import Settings
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.freshness import CandleFacts


def candle_facts(settings: Settings, database: Database[Document], grace: timedelta) -> CandleFacts:
    """Return how the stored candles of each configured symbol and interval compare.

    Candles that closed by the last midnight (UTC) that is more than ``grace`` ago are due.
    Only where one seems to be lacking is the exchange asked whether it has it.
    """
    ends, lacking = [], []
    with RestClient(settings.rest_url) as exchange:
        due_ms = Interval.DAY_1.floor(to_ms(exchange.server_time() - grace))
        for symbol in settings.symbols:
            for interval in map(Interval, settings.intervals):
                newest = _newest(database, symbol, interval)
                if newest is None:
                    lacking.append(f"{symbol} {interval}: none is stored")
                    continue
                next_ms = interval.following(interval.floor(to_ms(newest)))
                ends.append(from_ms(next_ms))
                if interval.following(next_ms) > due_ms:
                    continue
                beyond = exchange.record(Span(symbol, interval, from_ms(next_ms), from_ms(due_ms)))
                if beyond and interval.following(interval.floor(beyond.start_ms)) <= due_ms:
                    lacking.append(f"{symbol} {interval} from {beyond.start:%Y-%m-%d %H:%M}")
    return CandleFacts(min(ends, default=None), lacking)


def _newest(database: Database[Document], symbol: str, interval: Interval) -> datetime | None:
    found = database[HISTORICAL_DATA].find_one(
        {"symbol": symbol, "interval": interval.value},
        {"_id": 0, "open_time": 1},
        sort=[("open_time", DESCENDING)],
    )
    return found["open_time"] if found else None
