"""History as its operators work with it: forms, bad days, repairs, Airflow's own backfill."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import DESKTOP, chromium
from tests.e2e.airflow_operator import Operator, open_form, submit_form
from tests.e2e.product import RUN_LIMIT_S, Product
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(RUN_LIMIT_S + 120)]

SYMBOLS = ("BTCUSDT", "ETHUSDT")
TODAY = datetime.now(UTC).date()
LIMIT_S = 600


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product's services on the synthetic market, without its main job: history is the tests' own."""
    product = Product.below(
        tmp_path_factory.mktemp("history"),
        CRYPTOBOT_INTERVALS="15m,1h",
        CRYPTOBOT_HISTORY_DAYS="3",
    )
    try:
        started = product.command("run", "--services-only", limit_s=RUN_LIMIT_S)
        assert started.returncode == 0, f"{started.stdout}\n{started.stderr}"
        with Operator.of(product) as airflow:
            wait_until(lambda: len(airflow.dag_ids()) > 10, limit=LIMIT_S, what="the DAGs", pause=0.5)
        yield product
    finally:
        product.command("stop")


@pytest.fixture(scope="module")
def airflow(product: Product) -> Iterator[Operator]:
    with Operator.of(product) as operator:
        yield operator


def form(**given: Any) -> dict[str, Any]:
    return {"symbols": ["ETHUSDT"], "intervals": ["1h"], "source": "auto", "overwrite": False, **given}


def test_a_year_by_the_form_is_one_run_of_each_step(
    product: Product, airflow: Operator, tmp_path: Path
) -> None:
    first, last = TODAY - timedelta(days=365), TODAY - timedelta(days=1)
    with chromium() as browser:
        page = browser.new_page(viewport=DESKTOP)
        open_form(page, product, "historical_backfill")
        expect(page.locator("#element_symbols")).to_have_value("\n".join(SYMBOLS))
        page.locator("[aria-label='Remove 15m']").click()
        page.locator("#element_from").fill(first.isoformat())
        page.locator("#element_to").fill(last.isoformat())
        page.screenshot(path=tmp_path / "form.png")
        began = time.monotonic()
        submit_form(page)
        run = airflow.new("historical_backfill", [], LIMIT_S)
    assert airflow.ended(run, LIMIT_S)["state"] == "success"
    features = airflow.ended(airflow.new("features", [], LIMIT_S), LIMIT_S)
    took = time.monotonic() - began
    print(f"\n365 days of {len(SYMBOLS)} pairs at 1h, from the form to features: {took:.0f} s")

    assert features["state"] == "success"
    untrained = airflow.ended(airflow.new("models", [], LIMIT_S), LIMIT_S)
    assert set(airflow.states(untrained).values()) == {"skipped"}
    for dag_id in ("historical_backfill", "validated_historical_data", "features"):
        (only,) = airflow.runs_of(dag_id)
        assert {task["try_number"] for task in airflow.tasks(only)} == {1}
    assert airflow.runs_of("champions") == []
    database = product.database()
    assert database.historical_data.count_documents({"interval": "1h"}) == 365 * 24 * len(SYMBOLS)
    assert database.features.count_documents({"interval": "1h"}) == 365 * 24 * len(SYMBOLS)
    assert database.quality_results.count_documents({"collection": "historical_data"}) == 1
    event = airflow.events("historical_data")[0]["extra"]
    assert event["rows"] == event["inserted"] == 365 * 24 * len(SYMBOLS)
    assert (event["symbols"], event["intervals"]) == (list(SYMBOLS), ["1h"])


def test_a_bad_day_stops_the_pipeline_and_one_cleared_task_lets_it_go_on(
    product: Product, airflow: Operator
) -> None:
    validations, features = airflow.runs_of("validated_historical_data"), airflow.runs_of("features")
    day = TODAY - timedelta(days=400)
    request = form(**{"from": day.isoformat(), "to": day.isoformat()})
    candle = f"ETHUSDT|1h|{int(datetime(day.year, day.month, day.day, 7, tzinfo=UTC).timestamp() * 1000)}"
    held_while(airflow, airflow.trigger("historical_backfill", request), lambda: spoil(product, candle))

    red = airflow.ended(airflow.new("validated_historical_data", validations, LIMIT_S), LIMIT_S)
    assert red["state"] == "failed"
    database = product.database()
    result = database.quality_results.find_one({"blocking": True}, sort=[("finished_at", -1)])
    assert result is not None
    alert = database.alerts.find_one({"_id": f"pipeline|{red['dag_id']}|checkpoint|{red['dag_run_id']}"})
    assert alert is not None
    assert candle in alert["message"]
    assert f"{product.api}/quality/{result['report_path']}" in alert["message"]
    with product.client() as api:
        assert candle in api.get(f"/quality/{result['report_path']}").text
    assert len(airflow.runs_of("features")) == len(features)

    assert airflow.ended(airflow.trigger("historical_backfill", request), LIMIT_S)["state"] == "success"
    repaired = airflow.ended(airflow.new("features", features, LIMIT_S), LIMIT_S)
    assert repaired["state"] == "success"
    airflow.clear(red, "checkpoint")
    again = airflow.new("features", [repaired, *features], LIMIT_S)
    assert airflow.ended(red, LIMIT_S)["state"] == "success"
    assert airflow.ended(again, LIMIT_S)["state"] == "success"


def held_while(airflow: Operator, run: dict[str, Any], then: Any) -> None:
    """Let ``run`` end, and do ``then`` before anything that follows from it begins."""
    wait_until(
        lambda: airflow.states(run).get("publish") in {"queued", "running"},
        limit=LIMIT_S,
        what="the end of the Spark job",
    )
    wait_until(lambda: airflow.states(run)["publish"] != "queued", limit=LIMIT_S, what="its publication")
    airflow.allow(0)
    try:
        assert airflow.ended(run, LIMIT_S)["state"] == "success"
        then()
    finally:
        airflow.allow(128)


def spoil(product: Product, candle: str) -> None:
    """Damage a stored candle behind the product's back."""
    changed = product.database().historical_data.update_one(
        {"_id": candle}, {"$mul": {"high": 0.5}}, bypass_document_validation=True
    )
    assert changed.modified_count == 1


@pytest.mark.parametrize(
    ("given", "failed", "told"),
    [
        ({"symbols": ["BTCUSDT", "NOPEUSDT"]}, "exchange_info", "does not trade NOPEUSDT (unknown to it)"),
        ({"from": "2025-03-02", "to": "2025-03-01"}, "plan", "2025-03-02, is after the last, 2025-03-01"),
        ({"from": "2100-01-01"}, "plan", "2100-01-01, is in the future"),
    ],
)
def test_a_request_that_cannot_be_met_fails_at_once_and_says_why(
    product: Product, airflow: Operator, given: dict[str, Any], failed: str, told: str
) -> None:
    run = airflow.ended(airflow.trigger("historical_backfill", form(**given)), LIMIT_S)
    assert run["state"] == "failed"
    tasks = {task["task_id"]: task for task in airflow.tasks(run)}
    assert tasks[failed]["state"] == "failed"
    assert tasks[failed]["try_number"] == 1
    assert tasks["historical_data"]["state"] == "upstream_failed"
    alert = product.database().alerts.find_one({"_id": {"$regex": run["dag_run_id"].replace("+", r"\+")}})
    assert alert is not None
    assert told in alert["message"]


def test_airflows_own_backfill_makes_each_closed_day(product: Product, airflow: Operator) -> None:
    airflow.pause("validated_historical_data")
    first = TODAY - timedelta(days=2)
    airflow.backfill("historical_data", first.isoformat(), TODAY.isoformat())
    wait_until(lambda: len(airflow.runs_of("historical_data")) == 3, limit=60, what="a run a day")
    runs = [airflow.ended(run, LIMIT_S) for run in airflow.runs_of("historical_data")]
    days = [(TODAY - timedelta(days=ago)).isoformat() for ago in (2, 1, 0)]
    states = {run["partition_key"]: run["state"] for run in runs}
    assert states == {days[0]: "success", days[1]: "success", days[2]: "failed"}
    stored = product.database().historical_data
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    span = {"$gte": midnight, "$lt": midnight + timedelta(days=2)}
    for interval, a_day in (("15m", 96), ("1h", 24)):
        found = stored.count_documents({"interval": interval, "open_time": span})
        assert found == 2 * a_day * len(SYMBOLS)
    assert stored.count_documents({"open_time": {"$gte": midnight + timedelta(days=2)}}) == 0
    assert {event["partition_key"] for event in airflow.events("historical_data")} >= set(days[:2])
