"""The columns of the sources as Spark names their types."""

CANDLES = (
    "symbol string, interval string, open_time timestamp, close_time timestamp, open double, high double,"
    " low double, close double, volume double, quote_volume double, trades long, taker_buy_base double,"
    " taker_buy_quote double, source string, repeat int, raw string"
)
"""Those of :data:`cryptobot.exchange.candle_columns.SCHEMA`."""

AGG_TRADES = (
    "symbol string, agg_id long, price double, quantity double, first_trade_id long, last_trade_id long,"
    " time timestamp, buyer_is_maker boolean"
)
"""Those of :data:`cryptobot.exchange.agg_trades.SCHEMA`."""

ROWS_PER_BATCH = 10_000
"""Rows handed to Spark at once, at most."""
