"""Symbols, intervals, candles and trades, and the exchange's wire format for them."""

from cryptobot.market.interval import Interval
from cryptobot.market.kline import Kline, kline_id
from cryptobot.market.span import Span, history_spans
from cryptobot.market.trade import Ticker, Trade

__all__ = ["Interval", "Kline", "Span", "Ticker", "Trade", "history_spans", "kline_id"]
