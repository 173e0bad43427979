"""Symbols, intervals, candles and tickers, and the exchange's wire format for them."""

from cryptobot.market.interval import Interval
from cryptobot.market.kline import Kline, kline_id
from cryptobot.market.span import Span, history_spans
from cryptobot.market.ticker import Ticker

__all__ = ["Interval", "Kline", "Span", "Ticker", "history_spans", "kline_id"]
