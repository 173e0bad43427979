"""Reconciliation of a UTC day: its live candles held against the exchange's own, and repaired.

What arrived live (``streaming_data``) is compared with what REST gave (``historical_data``); where
they do not agree the exchange itself is asked, and its answer is the truth. Live candles that never
arrived are put in from there. Candles that history lacks are not written here: they are named, to be
read by the job that writes history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Kline, Span, kline_id
from cryptobot.market.instant import parse_instant, to_ms
from cryptobot.market.span import day_spans, dump_spans, merged
from cryptobot.settings import Settings
from cryptobot.storage import candles, source_gaps
from cryptobot.storage.candle_comparison import Candles, Difference, compare, differing, runs
from cryptobot.storage.collections import CORRECTIONS, RECONCILIATIONS, STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.live import insert_new
from cryptobot.storage.source_gaps import record_live_repairs

LISTED = 200
"""Differences that a reconciliation lists; the rest is counted."""

_DAY = timedelta(days=1)


class DayNotClosedError(ValueError):
    """A day is reconciled once it is over by the exchange's clock."""


@dataclass
class Found:
    """What a day's comparison found, over all symbols and intervals."""

    live: int = 0
    history: int = 0
    differences: list[Document] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    ask: list[Span] = field(default_factory=list)

    def note(self, difference: Difference) -> None:
        """Count a difference, and list it while the list is short."""
        self.counts["repaired" if difference.repaired else difference.kind] += 1
        if len(self.differences) < LISTED:
            self.differences.append(difference.document())


def reconcile(
    settings: Settings, database: Database[Document], day: str, *, replace_differing: bool = False
) -> Document:
    """Compare a UTC day's live candles with the exchange's, repair them, store and return the outcome.

    The outcome is the document of ``reconciliations``: its ``state`` (``equal``, ``repaired``,
    ``differs`` or ``no live data``), counts, up to :data:`LISTED` differences, and ``ask``: spans, as
    JSON, that the job of history is to read again. Repeating it tells the same and writes nothing new.

    Parameters
    ----------
    replace_differing
        Put the exchange's values in place of live candles that differ, and keep what was replaced
        in ``corrections``.

    Raises
    ------
    DayNotClosedError
        When the day is not over by the exchange's clock.
    """
    with RestClient(settings.rest_url) as exchange:
        now = exchange.server_time()
        if parse_instant(day) + _DAY > now:
            raise DayNotClosedError(f"{day} is not over: the exchange's clock says {now.isoformat()}")
        found = Found()
        spans = day_spans(settings.symbols, settings.intervals, day)
        if _any_live(database, spans):
            for span in spans:
                _reconcile_span(database, exchange, span, now, found, replace_differing=replace_differing)
        found.ask += source_gaps.now_answered(
            database, exchange, settings.symbols, now, until=parse_instant(day) + _DAY
        )
    outcome = _outcome(day, found)
    database[RECONCILIATIONS].replace_one({"_id": day}, outcome, upsert=True)
    return outcome


def summary(outcome: Document) -> dict[str, Any]:
    """Return an outcome without its list of differences, as plain JSON values."""
    told = {name: value for name, value in outcome.items() if name not in {"_id", "differences"}}
    return {"day": outcome["_id"], **told, "checked_at": outcome["checked_at"].isoformat()}


def _outcome(day: str, found: Found) -> Document:
    counts = found.counts
    state = "equal"
    if not found.live:
        state = "no live data"
    elif counts["differs"] or counts["not at the exchange"]:
        state = "differs"
    elif counts:
        state = "repaired"
    return {
        "_id": day,
        "state": state,
        "live": found.live,
        "history": found.history,
        "repaired": counts["repaired"],
        "missing_in_history": counts["missing in history"],
        "history_differs": counts["history differs"],
        "differing": counts["differs"],
        "not_at_the_exchange": counts["not at the exchange"],
        "differences": found.differences,
        "more_differences": counts.total() - len(found.differences),
        "ask": dump_spans(merged(found.ask)),
        "checked_at": datetime.now(UTC),
    }


def _reconcile_span(
    database: Database[Document],
    exchange: RestClient,
    span: Span,
    now: datetime,
    found: Found,
    *,
    replace_differing: bool,
) -> None:
    live = {candle["open_time"]: candle for candle in live_candles(database, span)}
    history = {candle["open_time"]: candle for candle in candles.documents(database, span)}
    truth: Candles = history if _agree(live, history) else _asked(exchange, span, now)
    lacking = [truth[open_time] for open_time in sorted(truth) if open_time not in live]
    if lacking:
        insert_new(database, [_live_document(candle) for candle in lacking])
        record_live_repairs(database, runs(span, [candle["open_time"] for candle in lacking]))
    if replace_differing:
        _replace(database, live, truth)
    if lacking or replace_differing:
        live = {candle["open_time"]: candle for candle in live_candles(database, span)}
    unsound = []
    for difference in compare(span, live, history, truth):
        found.note(difference)
        if difference.kind in {"missing in history", "history differs"}:
            unsound.append(difference.open_time)
    found.ask += runs(span, unsound)
    found.live += sum("repaired_from" not in candle for candle in live.values())
    found.history += len(history)


def live_candles(database: Database[Document], span: Span) -> Iterator[Document]:
    """Yield the span's candles in ``streaming_data``, in order of open time."""
    return iter(database[STREAMING_DATA].find(_live(span)).sort("open_time", 1))


def _live(span: Span) -> Document:
    return {
        "kind": "kline",
        "symbol": span.symbol,
        "interval": span.interval.value,
        "open_time": {"$gte": span.start, "$lt": span.end},
    }


def _any_live(database: Database[Document], spans: Sequence[Span]) -> bool:
    """Tell whether the feed ran: a candle arrived that was not put there by a reconciliation."""
    arrived = {"repaired_from": {"$exists": False}}
    return any(database[STREAMING_DATA].find_one(_live(span) | arrived, {"_id": 1}) for span in spans)


def _agree(live: Candles, history: Candles) -> bool:
    return live.keys() == history.keys() and not any(
        differing(candle, history[open_time]) for open_time, candle in live.items()
    )


def _asked(exchange: RestClient, span: Span, now: datetime) -> dict[datetime, Document]:
    """Return the span's closed candles as the exchange gives them now."""
    klines = (
        Kline.from_rest(span.symbol, span.interval, row)
        for page in exchange.klines(span, now)
        for row in page
    )
    return {kline.open_time: asdict(kline) | {"interval": kline.interval.value} for kline in klines}


def _live_document(candle: Document) -> Document:
    """Return the candle as the live path writes it, with a mark of where it came from instead."""
    kline = {name: candle[name] for name in Kline.__dataclass_fields__}
    key = kline_id(kline["symbol"], kline["interval"], to_ms(kline["open_time"]))
    return {
        "_id": f"kline|{key}",
        "kind": "kline",
        **kline,
        "received_at": datetime.now(UTC),
        "repaired_from": "rest",
    }


def _replace(database: Database[Document], live: Candles, truth: Candles) -> None:
    """Put the exchange's values in place of live ones that differ; both are kept in ``corrections``."""
    for open_time, candle in live.items():
        true = truth.get(open_time)
        if true is None or not (values := differing(candle, true)):
            continue
        record = {
            "symbol": candle["symbol"],
            "interval": candle["interval"],
            "open_time": open_time,
            "before": {name: pair[0] for name, pair in values.items()},
            "after": {name: pair[1] for name, pair in values.items()},
            "found_at": datetime.now(UTC),
            "report": "reconciliation",
        }
        key = f"{candle['_id']}|{to_ms(candle['received_at'])}"
        database[CORRECTIONS].replace_one({"_id": key}, record, upsert=True)
        database[STREAMING_DATA].replace_one({"_id": candle["_id"]}, _live_document(true))
