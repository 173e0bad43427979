"""Run by cryptofeed's own interpreter: print trades and candles of an exchange, a JSON line each.

``python cryptofeed_client.py REST_URL WSS_URL``: unmodified cryptofeed but for its addresses.
"""

import json
import sys

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import CANDLES, TICKER, TRADES
from cryptofeed.exchanges import Binance

rest_url, stream_url = sys.argv[1:]
Binance.rest_endpoints = [RestEndpoint(rest_url, routes=Routes("/api/v3/exchangeInfo"))]
Binance.websocket_endpoints = [WebsocketEndpoint(stream_url)]


def show(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


async def trade(found: object, received_at: float) -> None:
    show(kind="trade", symbol=found.symbol, id=int(found.id), price=float(found.price), side=found.side)


async def candle(found: object, received_at: float) -> None:
    show(
        kind="candle", symbol=found.symbol, interval=found.interval, closed=found.closed, trades=found.trades
    )


async def ticker(found: object, received_at: float) -> None:
    show(kind="ticker", symbol=found.symbol, bid=float(found.bid), ask=float(found.ask))


handler = FeedHandler()
handler.add_feed(
    Binance(
        symbols=["BTC-USDT", "ETH-USDT"],
        channels=[TRADES, CANDLES, TICKER],
        candle_closed_only=False,
        callbacks={TRADES: trade, CANDLES: candle, TICKER: ticker},
    )
)
handler.run()
