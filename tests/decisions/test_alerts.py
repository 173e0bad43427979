"""The one writer of alerts: each is raised once, and a cool-down holds, whoever writes at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import WriteError

from cryptobot.decisions.alerts import Alert, raise_alert, resolve
from cryptobot.settings import Settings
from cryptobot.storage.collections import ALERTS
from cryptobot.storage.database import connect

Db = Database[dict[str, Any]]
AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alert(key: str = "a", at: datetime = AT, direction: str = "buy", **fields: Any) -> Alert:
    made = Alert(
        kind="opportunity",
        key=key,
        severity="info",
        symbol="BTCUSDT",
        title="t",
        message="m",
        at=at,
        cooldown=HOUR,
        details={"direction": direction},
    )
    return replace(made, **fields)


def raised(database: Db, *alerts: Alert) -> list[bool]:
    return [raise_alert(database, each, AT) for each in alerts]


def test_an_alert_holds_what_people_read_and_that_nobody_was_told(database: Db) -> None:
    assert raised(database, alert()) == [True]
    assert database[ALERTS].find_one() == {
        "_id": "a",
        "kind": "opportunity",
        "severity": "info",
        "symbol": "BTCUSDT",
        "title": "t",
        "message": "m",
        "at": AT,
        "created_at": AT,
        "acknowledged_at": None,
        "details": {"direction": "buy"},
        "deliveries": {},
        "delivered": False,
    }


def test_the_same_key_is_raised_once_even_after_its_cooldown(database: Db) -> None:
    assert raised(database, alert(), alert(), alert(at=AT + 5 * HOUR)) == [True, False, False]
    assert database[ALERTS].count_documents({}) == 1


def test_another_of_its_group_waits_until_the_cooldown_is_over_to_the_millisecond(database: Db) -> None:
    millisecond = timedelta(milliseconds=1)
    assert raised(database, alert("a")) == [True]
    assert raised(database, alert("b", AT + HOUR - millisecond)) == [False]
    assert raised(database, alert("c", AT + HOUR)) == [True]
    assert raised(database, alert("d", AT + 2 * HOUR - millisecond)) == [False]


def test_what_was_held_back_does_not_prolong_the_cooldown(database: Db) -> None:
    assert raised(database, alert("a"), alert("b", AT + HOUR / 2), alert("c", AT + HOUR)) == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("other", [{"kind": "price_move"}, {"symbol": "ETHUSDT"}, {"direction": "sell"}])
def test_another_kind_symbol_or_direction_has_a_cooldown_of_its_own(
    database: Db, other: dict[str, Any]
) -> None:
    assert raised(database, alert("a"), alert("b", **other)) == [True, True]


def test_going_over_the_same_candles_again_raises_nothing_more(database: Db) -> None:
    candles = [alert(f"{minutes}", AT + timedelta(minutes=minutes)) for minutes in range(0, 180, 15)]
    assert sum(raised(database, *candles)) == 3
    assert sum(raised(database, *candles)) == 0


def at_once(app_settings: Settings, each: list[Callable[[Db], bool]]) -> list[bool]:
    gate = threading.Barrier(len(each))
    results: list[bool] = []

    def work(write: Callable[[Db], bool]) -> None:
        own = connect(app_settings)
        own.command("ping")
        gate.wait()
        results.append(write(own))
        own.client.close()

    threads = [threading.Thread(target=work, args=(write,)) for write in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(each)
    return results


@pytest.mark.parametrize("keys", [["a"] * 8, [f"k{number}" for number in range(8)]], ids=["key", "cooldown"])
@pytest.mark.parametrize("before", [False, True], ids=["first", "after another"])
def test_writers_at_once_raise_one_alert(
    database: Db, app_settings: Settings, keys: list[str], before: bool
) -> None:
    for turn in range(1, 6):
        if before:
            raised(database, alert(f"before {turn}", AT + (10 * turn - 5) * HOUR))
        stored = database[ALERTS].count_documents({})
        made = [alert(f"{key} {turn}", AT + 10 * turn * HOUR) for key in keys]
        writers = [lambda own, each=each: raise_alert(own, each, AT) for each in made]
        assert sum(at_once(app_settings, writers)) == 1
        assert database[ALERTS].count_documents({}) == stored + 1


def test_alerts_without_cooldown_stand_beside_each_other(database: Db) -> None:
    none = timedelta(0)
    assert raised(database, alert("a", cooldown=none), alert("b", cooldown=none)) == [True, True]
    assert raised(database, alert("a", cooldown=none)) == [False]


def test_a_refused_alert_leaves_no_cooldown_behind(database: Db) -> None:
    with pytest.raises(WriteError):
        raise_alert(database, alert(severity="grave"), AT)
    assert raised(database, alert("b")) == [True]


def test_an_alert_of_a_state_stays_open_until_it_is_resolved(database: Db) -> None:
    none = timedelta(0)
    assert raised(database, *(alert(key, state=key, cooldown=none) for key in "ab")) == [True, True]
    assert raised(database, alert("b again", state="b", cooldown=none), alert("passing")) == [False, True]
    assert resolve(database, AT + HOUR, kind="opportunity", still=["b"]) == 1
    resolved = {each["_id"]: each.get("resolved_at", "never") for each in database[ALERTS].find()}
    assert resolved == {"a": AT + HOUR, "b": None, "passing": "never"}
    assert resolve(database, AT + HOUR, open_state="b") == 1
    assert raised(database, alert("b once more", state="b", cooldown=none)) == [True]


def test_writers_at_once_open_one_alert_of_a_state(database: Db, app_settings: Settings) -> None:
    made = [alert(f"k{number}", state="feed", cooldown=timedelta(0)) for number in range(8)]
    writers = [lambda own, each=each: raise_alert(own, each, AT) for each in made]
    assert sum(at_once(app_settings, writers)) == 1
    assert database[ALERTS].count_documents({}) == 1
