"""What a reader is asked for: the options of ``spark.read.format("binance")``, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptobot.exchange.pace import weight_limit
from cryptobot.market.instant import parse_instant
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span, load_spans
from spark_jobs.sources.rest_pages import recorded_part

KLINES, AGG_TRADES = "klines", "aggTrades"
_COMPLETE = ("spans", "now", "weight_limit")
"""With these, nothing need be asked of the exchange."""


@dataclass(frozen=True)
class Asked:
    """The options, complete: the exchange itself was asked for what they left open."""

    address: str
    kind: str
    spans: tuple[Span, ...]
    now: datetime
    weight_limit: int


def kind_of(options: Mapping[str, str]) -> str:
    """Return what kind of rows is asked for: ``klines`` where nothing is said."""
    kind = options.get("kind", KLINES)
    if kind not in (KLINES, AGG_TRADES):
        raise ValueError(f"the option kind is {kind!r}; it must be {KLINES} or {AGG_TRADES}")
    return kind


def read_options(options: Mapping[str, str]) -> Asked:
    """Return what ``options`` ask for; raises ``ValueError`` naming an option that is missing or wrong.

    ``start`` and ``end`` are narrowed to the exchange's own record, so that years without a candle
    cost no request; ``spans`` are taken as they are.
    """
    address, kind = required(options, "address"), kind_of(options)
    if all(name in options for name in _COMPLETE):
        now, limit = parse_instant(options["now"]), int(options["weight_limit"])
        return Asked(address, kind, tuple(load_spans(options["spans"])), now, limit)
    return _asked_of_the_exchange(options, address, kind)


def _asked_of_the_exchange(options: Mapping[str, str], address: str, kind: str) -> Asked:
    from cryptobot.exchange.rest import RestClient

    with RestClient(address) as exchange:
        now, limit = options.get("now"), options.get("weight_limit")
        at = parse_instant(now) if now else exchange.server_time()
        most = int(limit) if limit else weight_limit(exchange.exchange_info())
        if "spans" in options:
            spans = load_spans(options["spans"])
        else:
            spans = _spans(options, kind)
            if kind == KLINES:
                recorded = (recorded_part(exchange, span) for span in spans)
                spans = [span for span in recorded if span is not None]
    return Asked(address, kind, tuple(spans), at, most)


def choice(options: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return the option ``name``, which must be one of ``known``; the first where it is absent."""
    found = options.get(name, known[0])
    if found not in known:
        raise ValueError(f"the option {name} is {found!r}; it must be one of {', '.join(known)}")
    return found


def required(options: Mapping[str, str], name: str) -> str:
    """Return the option ``name``; raises ``ValueError`` where it is absent or empty."""
    if not (value := options.get(name, "").strip()):
        raise ValueError(
            f"the option {name} is missing; a reader needs address (and archive, where it reads that), and"
            " either spans or symbols, intervals, start and end"
        )
    return value


def _spans(options: Mapping[str, str], kind: str) -> list[Span]:
    start, end = (parse_instant(required(options, name)) for name in ("start", "end"))
    intervals = required(options, "intervals") if kind == KLINES else Interval.HOUR_1.value
    return [
        Span(symbol, Interval(interval), start, end)
        for symbol in _listed(required(options, "symbols"))
        for interval in _listed(intervals)
    ]


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
