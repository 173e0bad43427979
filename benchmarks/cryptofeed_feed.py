"""Run by cryptofeed's own interpreter: trades of an exchange into Kafka or MongoDB by its own backends.

``python cryptofeed_feed.py REST_URL WSS_URL kafka|mongo ADDRESS [DATABASE]``: unmodified cryptofeed but
for the exchange's addresses.
"""

import sys

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance

rest_url, stream_url, backend, address, *rest = sys.argv[1:]
Binance.rest_endpoints = [RestEndpoint(rest_url, routes=Routes("/api/v3/exchangeInfo"))]
Binance.websocket_endpoints = [WebsocketEndpoint(stream_url)]
if backend == "kafka":
    from cryptofeed.backends.kafka import TradeKafka

    callback = TradeKafka(bootstrap_servers=address)
else:
    from cryptofeed.backends.mongo import TradeMongo

    host, _, port = address.partition(":")
    callback = TradeMongo(rest[0], host=host, port=int(port))

handler = FeedHandler()
handler.add_feed(Binance(symbols=["BTC-USDT", "ETH-USDT"], channels=[TRADES], callbacks={TRADES: callback}))
handler.run()
