"""Couriers: each channel has its alerts at least once, at its own pace, and its failures in the document."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from pymongo.database import Database

from cryptobot.alert_settings import Severity, Target
from cryptobot.decisions.alerts import Alert, raise_alert
from cryptobot.decisions.notification import Channel, Courier, DeliveryError, Dispatcher, Patience
from cryptobot.decisions.targets import AppriseChannel
from cryptobot.settings import Settings
from cryptobot.storage import outbox
from cryptobot.storage.collections import ALERTS
from tests.servers import wait_until
from tests.webhook import SECRET, Behaviour, Webhook, webhook

Db = Database[dict[str, Any]]
QUICK = Patience(attempts=3, first_s=0.01, longest_s=0.02)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def target() -> Iterator[Callable[[Behaviour], Webhook]]:
    with ExitStack() as stack:
        yield lambda behaviour: stack.enter_context(webhook(behaviour))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Whatever reaches the log of the process, down to details (pytest's own capture takes more)."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name}: {record.getMessage()}")

    root, keeper = logging.getLogger(), Keeper()
    before = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(keeper)
    root.setLevel(before)


def channel(name: str, made: Webhook, min_severity: Severity = "info") -> AppriseChannel:
    return AppriseChannel(name, Target.model_validate({"url": made.url, "min_severity": min_severity}))


def dispatcher(
    database: Db, stop: threading.Event, *channels: Channel, patience: Patience = QUICK
) -> Dispatcher:
    couriers = [Courier(each, database, stop, patience) for each in channels]
    for courier in couriers:
        courier.start()
    return Dispatcher(couriers)


def raised(
    database: Db, key: str, severity: Severity = "info", ago: timedelta = timedelta()
) -> dict[str, Any]:
    now = datetime.now(UTC) - ago
    raise_alert(database, Alert("price_move", key, severity, "BTCUSDT", f"title {key}", "text", now), now)
    (found,) = [alert for alert in outbox.undelivered(database) if alert["_id"] == key]
    return found


def delivery(database: Db, key: str, name: str, state: str) -> dict[str, Any]:
    """Wait for the state of a delivery, and return it without its time."""

    def found() -> dict[str, Any] | None:
        known = database[ALERTS].find_one({"_id": key})["deliveries"].get(name, {})
        return known if known.get("state") == state else None

    return {name: value for name, value in wait_until(found, limit=10, what=state).items() if name != "at"}


def test_an_alert_reaches_its_target_and_the_document_says_so(
    database: Db, stop: threading.Event, target: Callable[[Behaviour], Webhook]
) -> None:
    good = target("good")
    dispatcher(database, stop, channel("good", good)).dispatch(raised(database, "a", "critical"))
    assert delivery(database, "a", "good", "sent") == {"state": "sent", "attempts": 1}
    wait_until(lambda: database[ALERTS].find_one({"delivered": True}), limit=5, what="the alert is done with")
    assert outbox.undelivered(database) == []
    (body,) = good.taken
    assert (body["title"], body["type"]) == ("CRITICAL: title a", "failure")
    assert body["message"].startswith("text\n\nprice_move, ")


def test_a_hanging_and_a_failing_target_delay_nobody(
    database: Db,
    stop: threading.Event,
    target: Callable[[Behaviour], Webhook],
    logged: list[str],
) -> None:
    good, failing, hanging = target("good"), target("failing"), target("hanging")
    named = {"good": good, "failing": failing, "hanging": hanging}
    made = dispatcher(
        database, stop, *(channel(name, each) for name, each in named.items()),
        patience=Patience(attempts=50, first_s=0.05, longest_s=0.1),
    )  # fmt: skip
    for key in "abc":
        made.dispatch(raised(database, key))
    wait_until(lambda: len(good.taken) == 3, limit=1.5, what="all alerts at the good target")
    assert hanging.hanging == 1
    pending = delivery(database, "a", "failing", "pending")
    assert pending["error"] == "it answered with status 503"
    failing.behaviour = "good"
    for key in "abc":
        assert delivery(database, key, "failing", "sent")["attempts"] >= 1
    assert failing.titles == good.titles == [f"INFO: title {key}" for key in "abc"]
    assert delivery(database, "a", "hanging", "pending")["error"] == "it did not answer"
    assert all(alert["delivered"] is False for alert in database[ALERTS].find())
    assert SECRET not in "".join(logged) + repr(list(database[ALERTS].find()))
    assert "127.0.0.1" not in repr([alert["deliveries"] for alert in database[ALERTS].find()])


def test_a_target_that_goes_on_failing_is_given_up(
    database: Db, stop: threading.Event, target: Callable[[Behaviour], Webhook]
) -> None:
    failing = target("failing")
    made = dispatcher(database, stop, channel("failing", failing))
    made.dispatch(raised(database, "a"))
    given_up = {"state": "failed", "attempts": 3, "error": "it answered with status 503"}
    assert delivery(database, "a", "failing", "failed") == given_up
    assert failing.refused == 3
    wait_until(lambda: not outbox.undelivered(database), limit=5, what="the alert is done with")
    assert (made.couriers[0].sent, made.couriers[0].failed) == (0, 1)


def test_each_alert_is_handed_over_once_and_only_to_those_not_done(
    database: Db, stop: threading.Event, target: Callable[[Behaviour], Webhook]
) -> None:
    one, two = target("good"), target("good")
    raised(database, "a")
    outbox.record(database, "a", "one", outbox.Delivery("sent", 1), ("one", "two"))
    (stored,) = outbox.undelivered(database)
    made = dispatcher(database, stop, channel("one", one), channel("two", two))
    assert [made.dispatch(stored), made.dispatch(stored)] == [True, False]
    delivery(database, "a", "two", "sent")
    wait_until(lambda: not outbox.undelivered(database), limit=5, what="the alert is done with")
    assert (len(one.taken), len(two.taken)) == (0, 1)


def test_a_target_has_what_is_grave_enough(
    database: Db, stop: threading.Event, target: Callable[[Behaviour], Webhook]
) -> None:
    every, grave = target("good"), target("good")
    made = dispatcher(database, stop, channel("every", every), channel("grave", grave, "warning"))
    severities: tuple[Severity, ...] = ("info", "warning", "critical")
    for severity in severities:
        made.dispatch(raised(database, severity, severity))
    wait_until(lambda: not outbox.undelivered(database), limit=5, what="all are done with")
    assert len(every.taken) == 3
    assert grave.titles == ["WARNING: title warning", "CRITICAL: title critical"]


@pytest.mark.parametrize(("minutes", "state"), [(-1, "sent"), (1, "failed")])
def test_what_is_too_old_is_not_sent(
    database: Db, stop: threading.Event, target: Callable[[Behaviour], Webhook], minutes: int, state: str
) -> None:
    good = target("good")
    ago = QUICK.age + timedelta(minutes=minutes)
    dispatcher(database, stop, channel("good", good)).dispatch(raised(database, "a", ago=ago))
    delivery(database, "a", "good", state)
    assert len(good.taken) == (state == "sent")


def test_a_stop_leaves_what_is_under_way_to_the_next_process(
    database: Db, stop: threading.Event, target: Callable[[Behaviour], Webhook]
) -> None:
    failing = target("failing")
    slow = Patience(attempts=5, first_s=30, longest_s=60)
    made = dispatcher(database, stop, channel("failing", failing), patience=slow)
    made.dispatch(raised(database, "a"))
    delivery(database, "a", "failing", "pending")
    stop.set()
    made.couriers[0].join(2)
    assert not made.couriers[0].is_alive()
    (left,) = outbox.undelivered(database)
    assert left["deliveries"]["failing"]["state"] == "pending"
    failing.behaviour = "good"
    dispatcher(database, threading.Event(), channel("failing", failing)).dispatch(left)
    assert delivery(database, "a", "failing", "sent") == {"state": "sent", "attempts": 2}


def test_an_address_that_apprise_does_not_know_is_told_without_it(logged: list[str]) -> None:
    unknown = AppriseChannel("phone", Target.model_validate(f"nosuch://{SECRET}"))
    assert unknown.usable is False
    with pytest.raises(DeliveryError, match="none that apprise understands") as told:
        unknown.send({})
    assert SECRET not in str(told.value) + "".join(logged)


class TestSettings:
    def test_targets_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(
            "CRYPTOBOT_ALERT_TARGETS",
            f'{{"mail": "mailto://u:{SECRET}@h", "ops": {{"url": "json://h", "min_severity": "critical"}}}}',
        )
        found = Settings(_env_file=None)
        assert [(name, each.min_severity) for name, each in found.alert_targets.items()] == [
            ("mail", "info"),
            ("ops", "critical"),
        ]
        assert found.alert_targets["mail"].url.get_secret_value() == f"mailto://u:{SECRET}@h"
        assert SECRET not in repr(found)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (f'{{"a": "json://{SECRET}"', "CRYPTOBOT_ALERT_TARGETS is not JSON"),
            (f'{{"a.b": "json://{SECRET}"}}', "alert_targets.*pattern"),
            (f'{{"a": {{"url": "json://{SECRET}", "min_severity": "grave"}}}}', "min_severity"),
            (f'["json://{SECRET}"]', "valid dictionary"),
        ],
    )
    def test_a_mistake_is_named_without_the_address(
        self, monkeypatch: pytest.MonkeyPatch, text: str, told: str
    ) -> None:
        monkeypatch.setenv("CRYPTOBOT_ALERT_TARGETS", text)
        with pytest.raises(ValidationError, match=rf"(?s){told}") as error:
            Settings(_env_file=None)
        assert SECRET not in str(error.value)
