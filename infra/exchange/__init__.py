"""The offline exchange: Binance's REST, WebSocket and archive for spot market data."""
