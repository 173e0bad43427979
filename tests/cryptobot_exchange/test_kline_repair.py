from __future__ import annotations

from datetime import UTC, datetime

import httpx

from cryptobot.exchange.kline_repair import kline_event
from cryptobot.market import Interval, Kline
from tests.exchange_server import running_exchange


class TestKlineEvent:
    def test_reads_as_the_row_that_it_was_made_of(self) -> None:
        with running_exchange() as url:
            query = {"symbol": "BTCUSDT", "interval": "1m", "limit": 5}
            rows = httpx.get(f"{url}/api/v3/klines", params=query).json()[:-1]
        for row in rows:
            event = kline_event("BTCUSDT", Interval.MINUTE_1, row)
            assert Kline.from_stream(event["k"]) == Kline.from_rest("BTCUSDT", Interval.MINUTE_1, row)
            assert (event["e"], event["s"], event["k"]["x"]) == ("kline", "BTCUSDT", True)
            assert event["E"] == event["k"]["T"] + 1 <= datetime.now(UTC).timestamp() * 1_000
