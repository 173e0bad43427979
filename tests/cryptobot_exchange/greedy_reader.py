"""A process that reads as much as its pace lets it: prints the minute, status and weight of each answer.

``python -m tests.cryptobot_exchange.greedy_reader ADDRESS WEIGHT_LIMIT UNTIL`` (UNTIL in epoch seconds).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import UTC, datetime

import httpx

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Interval, Span

HISTORY = Span("BTCUSDT", Interval.HOUR_1, datetime(2018, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Watched(httpx.HTTPTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        at = datetime.strptime(response.headers["Date"], "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
        used = response.headers["X-MBX-USED-WEIGHT-1M"]
        os.write(1, f"{int(at.timestamp()) // 60} {response.status_code} {used}\n".encode())
        return response


def main() -> None:
    address, limit, until = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    client = RestClient(address, weight_limit=limit, transport=Watched())

    def read() -> None:
        while True:
            for _ in client.klines(HISTORY, NOW):
                pass

    for _ in range(2):
        threading.Thread(target=read, daemon=True).start()
    time.sleep(until - time.time())
    os._exit(0)  # readers that wait for the next minute are not waited for


if __name__ == "__main__":
    main()
