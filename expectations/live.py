"""What live data must be: arriving, of every symbol, and sound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation
from pymongo.database import Database

from cryptobot.storage.collections import STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.recent import Kind, received_since
from expectations import terms
from expectations.frames import PRICE_COLUMNS, VOLUME_COLUMNS, frame_of, naive
from expectations.terms import COMPLETENESS, CRITICAL, IDENTITY, PRICES, TIMES, VOLUMES, WARNING
from expectations.validation import Asset

WINDOW = timedelta(minutes=15)
SAMPLE = 50_000
"""Documents of one kind that are looked at, at most: the newest of the window."""

LATEST_AGE = timedelta(minutes=2)
"""Trades and tickers come every second: nothing for so long means that the feed stands."""

_PRICES: dict[Kind, tuple[str, ...]] = {
    "trade": ("price", "quantity"),
    "ticker": PRICE_COLUMNS,
    "kline": PRICE_COLUMNS,
}
_ORDER = (("high", "low"), ("high", "open"), ("high", "close"), ("open", "low"), ("close", "low"))


def live_assets(database: Database[Document], symbols: tuple[str, ...], now: datetime) -> Iterator[Asset]:
    """Yield trades, tickers and candles that were received in the window before ``now``."""
    for kind in ("trade", "ticker", "kline"):
        columns = ("_id", "kind", "symbol", "received_at", *_PRICES[kind])
        frame = frame_of(received_since(database, kind, now - WINDOW, SAMPLE), columns)
        frame["received_at"] = naive(frame["received_at"])
        yield Asset(
            name=f"{kind}s",
            title=f"Live {'candles' if kind == 'kline' else kind + 's'} of the last 15 minutes",
            frame=frame,
            rows=len(frame),
            suite=streaming_suite(kind, symbols, now.replace(tzinfo=None), columns=set(frame.columns)),
            start=now - WINDOW,
            end=now,
        )


def streaming_suite(
    kind: Kind, symbols: tuple[str, ...], now: datetime, columns: set[str] | None = None
) -> ExpectationSuite:
    """Return what the newest documents of a kind must be; ``now`` is UTC without a zone.

    Candles close as seldom as their intervals say, so that only of trades and tickers is it
    critical when none came. Volumes are checked where the documents have them (``columns``).
    """
    arriving = WARNING if kind == "kline" else CRITICAL
    oldest = now - (WINDOW if kind == "kline" else LATEST_AGE)
    expectations: list[Expectation] = [
        terms.expect(
            gxe.ExpectColumnMaxToBeBetween,
            f"The newest came after {oldest:%Y-%m-%d %H:%M:%S}",
            group=COMPLETENESS,
            severity=arriving,
            column="received_at",
            min_value=oldest,
        ),
        terms.expect(
            gxe.ExpectColumnDistinctValuesToEqualSet,
            "Every configured symbol is among them, and no other",
            group=COMPLETENESS,
            severity=arriving,
            column="symbol",
            value_set=list(symbols),
        ),
        terms.unique("_id", "Keys are unique"),
        terms.expect(
            gxe.ExpectColumnValuesToMatchRegex,
            f"Keys are those of a {kind}",
            group=IDENTITY,
            column="_id",
            regex=rf"^{kind}\|",
        ),
        *(terms.positive(column, group=PRICES) for column in _PRICES[kind]),
    ]
    if kind != "trade":
        expectations += [terms.at_least(larger, smaller, group=PRICES) for larger, smaller in _ORDER]
    if kind == "kline" and columns is not None and columns.issuperset((*VOLUME_COLUMNS, "close_time")):
        expectations += [
            *(terms.not_negative(column, group=VOLUMES) for column in (*VOLUME_COLUMNS, "trades")),
            terms.at_least("volume", "taker_buy_base", group=VOLUMES),
            terms.at_least("quote_volume", "taker_buy_quote", group=VOLUMES),
            terms.at_least("close_time", "open_time", group=TIMES),
        ]
    return terms.suite_of(f"{STREAMING_DATA}-{kind}s", expectations)
