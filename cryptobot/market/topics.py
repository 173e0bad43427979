"""Kafka topics of the product and the shape of what they carry.

Market topics hold ``{"stream": name, "data": the exchange's event, "received_at": ms}``, keyed by
symbol, so that one symbol's events stay in order within a partition.
"""

from __future__ import annotations

TRADES = "market.trades"
KLINES = "market.klines"
TICKERS = "market.tickers"
SIGNALS = "signals"
ALERTS = "alerts"
HEARTBEAT = "streaming.heartbeat"
DEAD_LETTER = "market.dead-letter"

MARKET = (TRADES, KLINES, TICKERS)
"""The topics that the sink writes to the database."""

PARTITIONS = {
    TRADES: 3,
    KLINES: 3,
    TICKERS: 3,
    SIGNALS: 1,
    ALERTS: 1,
    HEARTBEAT: 1,
    DEAD_LETTER: 1,
}
"""Every topic with its number of partitions."""

CONFIGS = {DEAD_LETTER: {"retention.ms": str(7 * 86_400_000)}}
"""What of a topic is not as the broker has it: someone must find the time to look at dead letters."""
