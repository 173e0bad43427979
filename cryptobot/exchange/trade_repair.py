"""Trades of a range of ids by REST, as the events that the stream would have sent.

The exchange lists trades without a key only as aggregates: trades of one taker order at one price, at the
same moment, with their first and last id and the sum of their quantities. What an aggregate does not
tell is how its quantity was spread over its trades; it is handed out in equal parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from cryptobot.exchange.agg_trades import ENDPOINT, LONGEST_SPAN, AggTrade, check_page
from cryptobot.exchange.errors import ExchangeError, TradesUnavailableError
from cryptobot.exchange.rest import PAGE, RestClient
from cryptobot.market.instant import MILLISECOND, to_ms

TradeEvent = dict[str, Any]
"""An event of ``<symbol>@trade``: ``e, E, s, t, p, q, T, m, M``."""

SEARCHED_HOURS = 72
"""For so long after the last known trade the next one is looked for, an hour at a time."""
_MARGIN = timedelta(seconds=1)
"""So much earlier than the last known trade is looked: an aggregate's time is that of its first trade."""


def trades_between(
    exchange: RestClient, symbol: str, first_id: int, last_id: int, since: datetime
) -> Iterator[list[TradeEvent]]:
    """Yield the trades ``first_id`` to ``last_id``, inclusive, page by page, in order of id.

    ``since`` is the time of a trade before ``first_id``: the search begins there. Ids that the exchange
    does not list (yet) are absent; the caller compares.

    Raises
    ------
    TradesUnavailableError
        When a page cannot be had; it names the symbol and the ids.
    """
    try:
        for rows in _pages(exchange, symbol, since - _MARGIN):
            wanted = [row for row in rows if row["l"] >= first_id and row["f"] <= last_id]
            found = [
                event for row in wanted for event in split(symbol, row) if first_id <= event["t"] <= last_id
            ]
            if found:
                yield found
            if rows[-1]["l"] >= last_id:
                return
    except ExchangeError as error:
        raise TradesUnavailableError(symbol, f"id {first_id}", f"id {last_id}", error) from error


def split(symbol: str, row: AggTrade) -> list[TradeEvent]:
    """Return one event for each trade of an aggregate: id, price, side and time are exact.

    The quantity is handed out in equal parts, in whole units of its last decimal place; the last trade
    takes what remains.
    """
    first, last = int(row["f"]), int(row["l"])
    count = last - first + 1
    whole, _, decimals = str(row["q"]).partition(".")
    part, remainder = divmod(int(whole + decimals), count)
    places = len(decimals)
    shares = [_decimal(part, places)] * (count - 1) + [_decimal(part + remainder, places)]
    return [
        {
            "e": "trade",
            "E": row["T"],
            "s": symbol,
            "t": first + offset,
            "p": row["p"],
            "q": share,
            "T": row["T"],
            "m": row["m"],
            "M": True,
        }
        for offset, share in enumerate(shares)
    ]


def _pages(exchange: RestClient, symbol: str, since: datetime) -> Iterator[list[AggTrade]]:
    """Yield all pages from ``since`` on: the first by time, the following ones by id."""
    start, rows = since, _page(exchange, symbol, 0, **_hour(since))
    now = exchange.server_time() if not rows else start
    end = min(now, since + SEARCHED_HOURS * LONGEST_SPAN)
    while not rows and start + LONGEST_SPAN < end:  # hours in which nobody traded
        start += LONGEST_SPAN
        rows = _page(exchange, symbol, 0, **_hour(start))
    while rows:
        yield rows
        following = int(rows[-1]["a"]) + 1
        rows = _page(exchange, symbol, following, fromId=following)


def _hour(start: datetime) -> dict[str, int]:
    return {"startTime": to_ms(start), "endTime": to_ms(start + LONGEST_SPAN - MILLISECOND)}


def _page(exchange: RestClient, symbol: str, first: int, **asked: int) -> list[AggTrade]:
    params: dict[str, str | int] = {"symbol": symbol, "limit": PAGE, **asked}
    rows: list[AggTrade] = exchange.get(ENDPOINT, params, lambda answer: check_page(answer, first))
    return rows


def _decimal(units: int, places: int) -> str:
    if not places:
        return str(units)
    digits = str(units).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
