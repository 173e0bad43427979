"""The offline exchange: Binance's REST, WebSocket and archive for spot market data, on one port.

Data passes through the modules so: a market (``synthetic``, or ``replay`` of ``record_files``)
answers candles as columns of integers (``bars``), ``fills`` finds the trades of a candle,
``present`` cuts both off at the clock's time, ``rendering`` makes text of them, and ``rest``,
``feed`` with ``sockets``, and ``archive`` serve it. ``options`` lists the settings.
"""
