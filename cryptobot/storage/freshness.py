"""Freshness: how old each data set of the pipeline may be, and how old it is.

It is watched apart from runs, so that a data set is noticed that nobody refreshed: one that was
never made, whose DAG is paused, or whose run never began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pymongo import ReplaceOne
from pymongo.database import Database

from cryptobot.storage.collections import FRESHNESS
from cryptobot.storage.database import Document

State = Literal["fresh", "stale", "never"]

SETTLING = timedelta(minutes=20)
"""Nothing is called overdue for so long after the watch (re)starts: what was off needs a moment."""

WATCHED_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How fresh an asset must be.

    Attributes
    ----------
    asset, dag
        The asset, and the DAG that refreshes it.
    limit
        How old the newest fact may be; with ``follows``, how long after that asset it is due.
    follows
        The asset that this one is made from. Without new facts there, none are due here.
    source
        What tells: ``events`` of the asset, or stored ``candles`` against the exchange's.
    signal_interval
        Only what was made of the interval of the signals counts as new in ``follows``.
    approved
        A person may be asked before it is made.
    """

    asset: str
    dag: str
    limit: timedelta
    follows: str | None = None
    source: Literal["events", "candles"] = "events"
    signal_interval: bool = False
    approved: bool = False


_DAILY = timedelta(hours=26)
_MINUTES_15, _HOUR, _HOURS_3 = timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3)

EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation("exchange_info", "exchange_info", _DAILY),
    Expectation("historical_data", "historical_data", _HOURS_3, source="candles"),
    Expectation("validated_historical_data", "validated_historical_data", _HOUR, "historical_data"),
    Expectation("reconciliation", "reconciliation", _DAILY),
    Expectation("streaming_data", "streaming_data", _MINUTES_15),
    Expectation("validated_streaming_data", "streaming_data", _MINUTES_15),
    Expectation("live_gaps", "live_gaps", _MINUTES_15),
    Expectation("quality_report", "streaming_data", _MINUTES_15),
    Expectation("features", "features", _HOUR, "validated_historical_data"),
    Expectation("models", "models", _HOURS_3, "features", signal_interval=True),
    Expectation("backtests", "models", _HOURS_3, "features", signal_interval=True),
    Expectation("champions", "champions", _HOUR, "models", approved=True),
    Expectation("deployment", "deployment", _HOUR, "champions"),
    Expectation("signals", "signals", _HOUR, "deployment"),
    Expectation("drift", "drift", _HOUR, "signals"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """When an asset was made, and the metadata of that."""

    at: datetime
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CandleFacts:
    """The stored candles against the exchange's: the oldest of the newest, and what is lacking, in words."""

    newest: datetime | None
    lacking: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one moment: events by asset (newest first), candles, DAGs that are paused.

    ``retrained_every`` is after how many days of new candles those assets are made that follow the
    interval of the signals (``signal_interval``). ``patience`` is for how long a person's approval is
    waited for.
    """

    events: Mapping[str, Sequence[Event]]
    candles: CandleFacts
    signal_interval: str
    paused: frozenset[str] = frozenset()
    retrained_every: timedelta = timedelta(days=1)
    patience: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How fresh an asset is now; ``overdue`` where that is more than a passing state."""

    expectation: Expectation
    state: State
    newest: datetime | None
    overdue: bool
    why: str


def judge(expectation: Expectation, facts: Facts, now: datetime, first_checked_at: datetime) -> Judgement:
    """Return how fresh an asset is at ``now``, of which it was first asked at ``first_checked_at``."""
    if expectation.source == "candles":
        judged = _judge_candles(expectation, facts.candles, now, first_checked_at)
    elif expectation.follows:
        judged = _judge_following(expectation, facts, now)
    else:
        judged = _judge_age(expectation, facts, now, first_checked_at)
    if expectation.dag not in facts.paused:
        return judged
    why = f"{judged.why}; its DAG {expectation.dag} is paused"
    return Judgement(expectation, judged.state, judged.newest, judged.overdue, why)


def _judge_age(expectation: Expectation, facts: Facts, now: datetime, first: datetime) -> Judgement:
    newest = _newest(facts, expectation.asset)
    if newest is None:
        return Judgement(expectation, "never", None, now - first > expectation.limit, "it was never made")
    age = now - newest
    if age <= expectation.limit:
        return Judgement(expectation, "fresh", newest, False, f"made {_told(age)} ago")
    why = f"made {_told(age)} ago; {_told(expectation.limit)} are allowed"
    return Judgement(expectation, "stale", newest, True, why)


def _judge_following(expectation: Expectation, facts: Facts, now: datetime) -> Judgement:
    newest = _newest(facts, expectation.asset)
    needed = facts.signal_interval if expectation.signal_interval else None
    above = _newest(facts, str(expectation.follows), needed)
    slack = _training_pause(facts) if expectation.signal_interval else timedelta(0)
    if above is None or (newest is not None and newest >= above - slack):
        state: State = "fresh" if newest else "never"
        why = f"as new as {expectation.follows}" if above else f"{expectation.follows} was never made"
        return Judgement(expectation, state, newest, False, why)
    waiting = now - above
    overdue = waiting > expectation.limit + (facts.patience if expectation.approved else timedelta(0))
    why = f"not made again since {expectation.follows} was, {_told(waiting)} ago"
    if newest is None:
        return Judgement(expectation, "never", None, overdue, why.replace("not made again", "never made"))
    return Judgement(expectation, "stale" if overdue else "fresh", newest, overdue, why)


def _training_pause(facts: Facts) -> timedelta:
    """Return by how much models may be older than features: up to the last of the days between trainings.

    Half of that last day is allowed for: features come at no fixed hour.
    """
    day = timedelta(days=1)
    return facts.retrained_every - day / 2 if facts.retrained_every > day else timedelta(0)


def _judge_candles(
    expectation: Expectation, candles: CandleFacts, now: datetime, first: datetime
) -> Judgement:
    if candles.newest is None:
        overdue = now - first > expectation.limit
        return Judgement(expectation, "never", None, overdue, "no candle is stored")
    if not candles.lacking:
        why = "it holds all days of the exchange that are over"
        return Judgement(expectation, "fresh", candles.newest, False, why)
    why = f"the exchange has candles that it lacks: {'; '.join(candles.lacking[:5])}"
    return Judgement(expectation, "stale", candles.newest, True, why)


def _newest(facts: Facts, asset: str, interval: str | None = None) -> datetime | None:
    """Return when the asset was last made; with ``interval``, of that interval at least."""
    for event in facts.events.get(asset, ()):
        made_of = event.extra.get("intervals")
        if interval is None or made_of is None or interval in made_of:
            return event.at
    return None


def _told(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def check(
    database: Database[Document],
    facts: Facts,
    now: datetime | None = None,
    expectations: Iterable[Expectation] = EXPECTATIONS,
) -> list[Document]:
    """Judge every asset by ``facts``, store and return the documents of ``freshness``.

    ``stale_since`` is set while an asset is overdue: when that was first seen. ``now`` is the
    machine's clock, as in the events that Airflow records.
    """
    now = now or datetime.now(UTC)
    before = {state["_id"]: state for state in database[FRESHNESS].find()}
    found = [
        _document(expectation, facts, now, before.get(expectation.asset)) for expectation in expectations
    ]
    if found:
        database[FRESHNESS].bulk_write(
            [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in found]
        )
    database[FRESHNESS].delete_many({"_id": {"$nin": [each["_id"] for each in found]}})
    return found


def _document(expectation: Expectation, facts: Facts, now: datetime, before: Document | None) -> Document:
    first = before["first_checked_at"] if before else now
    interrupted = before is None or now - before["checked_at"] > 3 * WATCHED_EVERY
    watched_since = now if interrupted or before is None else before["watched_since"]
    judged = judge(expectation, facts, now, first)
    since = before["stale_since"] if before else None
    overdue = judged.overdue and (since is not None or now - watched_since >= SETTLING)
    return {
        "_id": expectation.asset,
        "state": judged.state,
        "newest": judged.newest,
        "limit_s": expectation.limit.total_seconds(),
        "why": judged.why,
        "dag": expectation.dag,
        "paused": expectation.dag in facts.paused,
        "stale_since": (since or now) if overdue else None,
        "checked_at": now,
        "first_checked_at": first,
        "watched_since": watched_since,
    }
