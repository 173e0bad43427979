"""Symbols, candles and tickers."""
