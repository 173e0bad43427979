"""A symbol's figures at a moment: last trade, best bid and ask, the rolling 24 hours."""

from __future__ import annotations

from infra.exchange import tape
from infra.exchange.bars import EMPTY, MINUTE_MS, Bars, concat, merge
from infra.exchange.instruments import Instrument
from infra.exchange.present import Present
from infra.exchange.rendering import fixed
from infra.exchange.trades import Trades

AVERAGE_MINUTES = 5


def last_trade(present: Present, symbol: str, now_ms: int) -> Trades:
    """Return the last trade up to ``now_ms``; none before the first."""
    return tape.newest(present, symbol, now_ms, 1, aggregate=False)


def best_quotes(trade: Trades, instrument: Instrument) -> dict[str, str]:
    """Return best bid and ask, one tick apart, as the last trade leaves them."""
    price, number = int(trade.price[-1]), int(trade.trade_id[-1])
    bid = price if trade.buyer_is_maker[-1] else max(price - 1, 1)
    lots = [1 + number * factor % 10**instrument.quantity_decimals for factor in (7_919, 104_729)]
    return {
        "bidPrice": fixed(bid, instrument.price_decimals),
        "bidQty": fixed(lots[0], instrument.quantity_decimals),
        "askPrice": fixed(bid + 1, instrument.price_decimals),
        "askQty": fixed(lots[1], instrument.quantity_decimals),
    }


def average_price(present: Present, symbol: str, now_ms: int) -> str:
    """Return the mean price by volume of the last five minutes, to the minute."""
    running = present.open_bar(symbol, now_ms)
    until = int(running.open_ms[0]) if len(running) else now_ms + 1
    span = (AVERAGE_MINUTES - len(running)) * MINUTE_MS
    bars = concat([present.market.finest(symbol, until - span, until), running])
    if not len(bars):
        bars = present.bar_at(symbol, present.moment(symbol, now_ms))
    return _mean(merge(bars) if len(bars) else EMPTY, present.instrument(symbol))


def rolling_day(present: Present, symbol: str, now_ms: int) -> dict[str, str | int]:
    """Return the fields of ``ticker/24hr``; times in ms. Empty when nothing traded in 24 hours."""
    day, trade = present.last_day(symbol, now_ms), last_trade(present, symbol, now_ms)
    if not len(day) or not len(trade):
        return {}
    instrument = present.instrument(symbol)
    open_, close = int(day.open[0]), int(day.close[0])
    price, quantity = instrument.price_decimals, instrument.quantity_decimals
    before = present.market.finest(symbol, int(day.open_ms[0]) - MINUTE_MS, int(day.open_ms[0]))
    first, count = int(day.first_trade[0]), int(day.trades[0])
    return {
        "symbol": symbol,
        "priceChange": fixed(close - open_, price),
        "priceChangePercent": f"{(close - open_) / open_ * 100:.3f}",
        "weightedAvgPrice": _mean(day, instrument),
        "prevClosePrice": fixed(int(before.close[-1]) if len(before) else open_, price),
        "lastPrice": fixed(close, price),
        "lastQty": fixed(int(trade.quantity[-1]), quantity),
        **best_quotes(trade, instrument),
        "openPrice": fixed(open_, price),
        "highPrice": fixed(int(day.high[0]), price),
        "lowPrice": fixed(int(day.low[0]), price),
        "volume": fixed(int(day.volume[0]), quantity),
        "quoteVolume": fixed(int(day.quote[0]), instrument.quote_decimals),
        "openTime": int(day.open_ms[0]),
        "closeTime": now_ms,
        "firstId": first,
        "lastId": first + count - 1,
        "count": count,
    }


def _mean(bar: Bars, instrument: Instrument) -> str:
    if not len(bar) or not bar.volume[0]:
        return fixed(0, 0)
    scale = 8 - instrument.price_decimals
    volume = int(bar.volume[0])
    return fixed((int(bar.quote[0]) * 10 ** max(scale, 0) + volume // 2) // volume, 8)
