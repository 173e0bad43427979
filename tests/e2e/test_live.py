"""The live feed as its operators see it: an outage is red and told once, and ends by itself; holes close."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from infra.local.airflow_api import Run
from tests.e2e.airflow_operator import Operator
from tests.e2e.product import RUN_LIMIT_S, Product
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(RUN_LIMIT_S + 600)]

Db = Database[dict[str, Any]]

SYMBOLS = ("BTCUSDT", "ETHUSDT")
LIMIT_S = 400
RED_WITHIN_S = 180
GREEN_WITHIN_S = 240
REPAIRED_WITHIN_S = 300
DAG = "streaming_data"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product's services on the synthetic market, without its main job."""
    product = Product.below(tmp_path_factory.mktemp("live"), CRYPTOBOT_INTERVALS="1m,15m")
    try:
        started = product.command("run", "--services-only", limit_s=RUN_LIMIT_S)
        assert started.returncode == 0, f"{started.stdout}\n{started.stderr}"
        yield product
    finally:
        product.command("stop")


@pytest.fixture(scope="module")
def airflow(product: Product) -> Iterator[Operator]:
    with Operator.of(product) as operator:
        ended(operator, "success", since=datetime.now(UTC) - timedelta(hours=1), limit=LIMIT_S)
        yield operator


def ended(airflow: Operator, state: str, *, since: datetime, limit: float) -> Run:
    """Return the first run that began after ``since`` and ended in ``state``."""

    def found() -> Run | None:
        runs = [run for run in airflow.runs_of(DAG) if run["state"] == state and run["start_date"]]
        return next((run for run in runs if datetime.fromisoformat(run["start_date"]) > since), None)

    run = wait_until(found, limit=limit, what=f"a run of {DAG} that is {state}", pause=1)
    assert run is not None
    return run


def alerts(database: Db) -> list[dict[str, Any]]:
    return list(database.alerts.find({"kind": "live_feed"}).sort("created_at", 1))


def process_group(product: Product, service: str) -> int:
    return int((product.folder / "state" / "supervisor" / f"{service}.group").read_text())


def trade_ids(database: Db, symbol: str) -> list[int]:
    found = database.streaming_data.find({"kind": "trade", "symbol": symbol}, {"trade_id": 1})
    return sorted(trade["trade_id"] for trade in found)


def test_a_frozen_producer_is_red_and_told_once_and_all_is_green_again_by_itself(
    product: Product, airflow: Operator
) -> None:
    database = product.database()
    known = len(alerts(database))
    group = process_group(product, "producer")
    stopped = datetime.now(UTC)
    os.killpg(group, signal.SIGSTOP)
    try:
        wait_until(lambda: len(alerts(database)) > known, limit=RED_WITHIN_S, what="the alert", pause=0.5)
        told = (datetime.now(UTC) - stopped).total_seconds()
        red = ended(airflow, "failed", since=stopped - timedelta(minutes=2), limit=RED_WITHIN_S - told)
        took = (datetime.now(UTC) - stopped).total_seconds()
        print(f"\nfrozen producer: alert after {told:.0f} s, red after {took:.0f} s")
        assert took <= RED_WITHIN_S
        states = airflow.states(red)
        assert (states["producer_beats"], states["sink_beats"]) == ("failed", "success")
        assert states["findings.daemon_is_silent"] == "failed"
        assert states["findings.kafka_is_away"] == "skipped"
        assert {states["announce"], states["checkpoint"]} == {"skipped"}
        again = datetime.fromisoformat(red["end_date"])
        ended(airflow, "failed", since=again, limit=RED_WITHIN_S)
        (alert,) = alerts(database)[known:]
        assert alert["resolved_at"] is None
        assert "producer" in alert["message"]
    finally:
        os.killpg(group, signal.SIGCONT)
    resumed = datetime.now(UTC)
    green = ended(airflow, "success", since=resumed - timedelta(seconds=30), limit=GREEN_WITHIN_S)
    print(f"green after {(datetime.now(UTC) - resumed).total_seconds():.0f} s")
    assert airflow.states(green)["announce"] == "success"
    (alert,) = alerts(database)[known:]
    assert alert["resolved_at"] is not None
    assert database.service_health.find_one({"_id": "live_feed"})["state"] == "healthy"
    assert database.alerts.count_documents({"kind": "pipeline", "details.dag": DAG}) == 0


def test_holes_made_by_hand_are_filled(product: Product, airflow: Operator) -> None:
    database = product.database()
    settled = datetime.now(UTC) - timedelta(seconds=70)
    gone: list[str] = []
    for symbol in SYMBOLS:
        stored = database.streaming_data.find(
            {"kind": "trade", "symbol": symbol, "received_at": {"$lt": settled}}, {"_id": 1}
        )
        keys = [trade["_id"] for trade in stored.sort("trade_id", -1).limit(60)]
        gone += keys[5:50]
    candles = database.streaming_data.find({"kind": "kline", "interval": "1m"}).sort("open_time", -1)
    gone += [candle["_id"] for candle in candles if candle["close_time"] < settled][2:4]
    before = {each["_id"]: each for each in database.streaming_data.find({"_id": {"$in": gone}})}
    database.streaming_data.delete_many({"_id": {"$in": gone}})
    began = time.monotonic()
    wait_until(
        lambda: database.streaming_data.count_documents({"_id": {"$in": gone}}) == len(gone),
        limit=REPAIRED_WITHIN_S,
        what="what was deleted",
        pause=1,
    )
    print(f"\n{len(gone)} deleted events were back after {time.monotonic() - began:.0f} s")
    for each in database.streaming_data.find({"_id": {"$in": gone}}):
        assert each["source"] == "rest"
        same = before[each["_id"]].keys() - {"received_at", "source", "quantity"}
        assert {name: each[name] for name in same} == {name: before[each["_id"]][name] for name in same}

    def announced() -> list[dict[str, Any]]:  # once the task that wrote them has ended
        return [one["extra"] for one in airflow.events("live_gaps") if one["extra"]["trades"]]

    (event, *_) = wait_until(announced, limit=LIMIT_S, what="the event of the repair", pause=1)
    assert event["failures"] == []


def test_no_trade_was_lost(product: Product) -> None:
    database = product.database()

    def whole() -> bool:
        found = [trade_ids(database, symbol) for symbol in SYMBOLS]
        return all(ids[-1] - ids[0] + 1 == len(ids) for ids in found)

    wait_until(whole, limit=REPAIRED_WITHIN_S, what="every trade since the feed began", pause=2)
