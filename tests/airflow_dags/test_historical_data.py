"""The `historical_data` DAG: what it plans of a day, by a real exchange's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cryptobot.market import Interval, Span
from cryptobot.market.instant import parse_instant
from cryptobot.market.span import load_spans
from tests.exchange_server import running_exchange

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def plan(
    dag_bag: DagBag, product: Any, exchange: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Any]:
    """Plan a day with the given intervals configured."""

    def planned(day: str, intervals: str) -> Any:
        monkeypatch.setenv("CRYPTOBOT_REST_URL", exchange)
        monkeypatch.setenv("CRYPTOBOT_SYMBOLS", "BTCUSDT")
        monkeypatch.setenv("CRYPTOBOT_INTERVALS", intervals)
        monkeypatch.setenv("CRYPTOBOT_SIGNAL_INTERVAL", intervals.split(",")[0])
        task = dag_bag.dags["historical_data"].get_task("plan")
        return task.python_callable(dag_run=SimpleNamespace(partition_key=day))

    return planned


def test_a_day_is_read_with_the_week_that_it_ends(plan: Callable[[str, str], Any]) -> None:
    sunday = plan("2025-11-02", "1h,1w,1M")
    assert sunday.is_done
    assert load_spans(sunday.xcom_value) == [
        Span("BTCUSDT", Interval(interval), parse_instant(start), parse_instant("2025-11-03"))
        for interval, start in (("1h", "2025-11-02"), ("1w", "2025-10-27"))
    ]


def test_a_day_in_which_no_candle_closes_is_skipped(plan: Callable[[str, str], Any]) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="No candle of 1w, 1M closes on 2025-11-03"):
        plan("2025-11-03", "1w,1M")
