"""The signals daemon on the real Kafka and MongoDB: one signal a candle, whatever is repeated or killed."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import RetriableError
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.decisions.signals import champion_bundles, score_latest
from cryptobot.features import FEATURE_SET, compute
from cryptobot.market import Interval, topics
from cryptobot.settings import Settings
from cryptobot.storage.database import connect
from infra.local import kafka, mongod
from streaming.broker import SIGNALS_GROUP, Publisher, ensure_topics
from streaming.signals import SignalService
from tests.api.candles import candles, live
from tests.servers import free_port, running, wait_until
from tests.serving.bundles import KEY
from tests.serving.models import promote_model
from tests.streaming.conftest import environment, starter
from tests.streaming.market import Document, publish_apart, publish_candles

Documents = Database[Document]
Run = Callable[..., AbstractContextManager[SignalService]]
KNOWN = 120
"""Candles that are stored before the first comes live."""


class Pair:
    """Two symbols of a test's own, their candles, and the champion of the first."""

    def __init__(self, database: Documents, symbols: tuple[str, ...] = ()) -> None:
        name = secrets.token_hex(4).upper()
        self.symbol, self.other = symbols or (f"A{name}USDT", f"B{name}USDT")
        self.own = candles(self.symbol, "1m", KNOWN + 40)
        self.beside = candles(self.other, "1m", KNOWN + 40, seed=1)
        self.database = database
        database.historical_data.insert_many([*self.own[:KNOWN], *self.beside[:KNOWN]])

    def promote(self, seed: int = 0, symbol: str | None = None) -> str:
        symbol = symbol or self.symbol
        other = self.other if symbol == self.symbol else self.symbol
        return promote_model(self.database, seed, symbol, other_symbol=other, interval="1m")

    def at(self, index: int) -> list[Document]:
        """Return the candle of both that comes ``index`` after those that are known."""
        return [self.own[KNOWN + index], self.beside[KNOWN + index]]

    def signals(self) -> list[Document]:
        return list(self.database.signals.find({"symbol": self.symbol}).sort("open_time"))

    def await_signals(self, count: int) -> list[Document]:
        wait_until(lambda: len(self.signals()) >= count, limit=20, what=f"{count} signals")
        return self.signals()

    def alerts(self, kind: str = "model") -> list[Document]:
        return list(self.database.alerts.find({"symbol": self.symbol, "kind": kind}))


@pytest.fixture
def pair(database: Documents) -> Pair:
    return Pair(database)


@pytest.fixture
def settings(app_settings: Settings, kafka_bootstrap: str, pair: Pair) -> Settings:
    return app_settings.model_copy(
        update={
            "kafka_bootstrap": kafka_bootstrap,
            "symbols": (pair.symbol, pair.other),
            "intervals": ("1m",),
            "signal_interval": "1m",
            "bundle_key": KEY,
        }
    )


@pytest.fixture
def run(settings: Settings) -> Run:
    """Run the service on a thread until the block ends."""

    @contextmanager
    def run(wait_s: float = 10.0, own: Settings = settings) -> Iterator[SignalService]:
        stop = threading.Event()
        publisher = Publisher(own.kafka_bootstrap)
        service = SignalService(own, publisher, stop, wait_s)
        thread = threading.Thread(target=service.run)
        thread.start()
        try:
            yield service
        finally:
            stop.set()
            thread.join(15)
            publisher.close(2)
        assert not thread.is_alive()

    return run


def told(settings: Settings, symbol: str) -> list[Document]:
    """Return what the topic ``signals`` holds of a symbol."""
    with KafkaConsumer(
        topics.SIGNALS,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=2_000,
    ) as consumer:
        return [json.loads(record.value) for record in consumer if record.key == symbol.encode()]


def withheld(service: SignalService, reason: str) -> int:
    return int(getattr(service.pulse(), reason))


class TestSignals:
    def test_each_closed_candle_has_one_signal_in_the_collection_and_the_topic(
        self, settings: Settings, pair: Pair, run: Run
    ) -> None:
        version = pair.promote()
        with run() as service:
            for index in range(3):
                publish_candles(settings, pair.at(index))
                pair.await_signals(index + 1)
            publish_candles(settings, [*pair.at(1), *pair.at(2)])  # again, as in a replay
            publish_candles(settings, pair.at(3))
            found = pair.await_signals(4)
            wait_until(lambda: service.pulse().messages >= 12, limit=10, what="all messages")
        assert len(pair.signals()) == 4
        assert [signal["open_time"] for signal in found] == [
            candle["open_time"] for candle in pair.own[KNOWN : KNOWN + 4]
        ]
        assert {signal["model_version"] for signal in found} == {version}
        assert not any(signal["late"] for signal in found)
        published = told(settings, pair.symbol)
        assert [each["_id"] for each in published] == [signal["_id"] for signal in found]
        assert published[0]["profiles"] == found[0]["profiles"]

    def test_live_says_what_batch_says(
        self, settings: Settings, database: Documents, pair: Pair, run: Run
    ) -> None:
        pair.promote()
        with run():
            publish_candles(settings, [c for index in range(5) for c in pair.at(index)])
            found = pair.await_signals(5)
        database.signals.delete_many({})  # batch leaves out what was said live
        expected = batch_signals(database, settings, pair)
        for signal in found:
            batch = expected[signal["open_time"]]
            assert signal["probabilities"] == pytest.approx(batch["probabilities"], abs=1e-9)
            assert signal["signal"] == batch["signal"]

    def test_a_candle_repaired_later_makes_a_late_signal(
        self, settings: Settings, pair: Pair, run: Run
    ) -> None:
        pair.promote()
        with run() as service:
            publish_candles(settings, pair.at(0))
            pair.await_signals(1)
            publish_candles(settings, pair.at(2))
            wait_until(lambda: service.pulse().waiting, limit=10, what="a candle that waits for the hole")
            publish_candles(settings, pair.at(1))
            found = pair.await_signals(3)
        assert [signal["late"] for signal in found] == [False, True, False]

    def test_a_hole_that_is_not_repaired_withholds_signals_and_is_said_once(
        self, settings: Settings, pair: Pair, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        pair.promote()
        pair.promote(symbol=pair.other)
        with run(wait_s=0.2) as service:
            publish_candles(settings, [pair.own[KNOWN], *pair.beside[KNOWN : KNOWN + 1]])
            pair.await_signals(1)
            publish_candles(settings, [*pair.at(2), *pair.at(3)])
            wait_until(lambda: withheld(service, "incomplete") == 4, limit=15, what="four without signal")
        assert len(pair.signals()) == 1
        lines = [r.getMessage() for r in caplog.records if "no signal" in r.getMessage()]
        assert len([line for line in lines if pair.symbol in line]) == 1

    def test_waits_for_the_other_pairs_candle(self, settings: Settings, pair: Pair, run: Run) -> None:
        pair.promote()
        with run(wait_s=60) as service:
            own, beside = pair.at(0)
            publish_candles(settings, [own])
            wait_until(lambda: service.pulse().waiting == 1, limit=10, what="the candle")
            assert pair.signals() == []
            publish_candles(settings, [beside])
            pair.await_signals(1)

    def test_waits_for_the_other_pairs_candle_only_for_a_while(
        self, settings: Settings, pair: Pair, run: Run
    ) -> None:
        pair.promote()
        with run(wait_s=0.5) as service:
            own, beside = pair.at(0)
            publish_candles(settings, [own])
            wait_until(lambda: withheld(service, "incomplete") == 1, limit=15, what="the end of waiting")
            publish_candles(settings, [beside])
            wait_until(lambda: service.pulse().messages == 2, limit=10, what="the other's")
        assert pair.signals() == []

    def test_finds_the_other_pairs_candle_in_the_database(
        self, settings: Settings, database: Documents, pair: Pair, run: Run
    ) -> None:
        pair.promote()
        with run() as service:
            own, beside = pair.at(0)
            publish_candles(settings, [own])
            wait_until(lambda: service.pulse().waiting == 1, limit=10, what="the candle")
            database.historical_data.insert_one(beside)
            pair.await_signals(1)


class TestSharing:
    def test_two_instances_share_the_pairs_and_find_each_others_candles(
        self, settings: Settings, database: Documents, pair: Pair, run: Run
    ) -> None:
        pair.promote()
        pair.promote(symbol=pair.other)

        def both_read() -> bool:
            publish_apart(settings, *pair.at(30), closed=False)
            return all(service.pulse().messages for service in (first, second))

        with run() as first, run() as second:
            wait_until(both_read, limit=30, what="both with a partition")
            for index in range(3):
                database.streaming_data.insert_many(live(pair.at(index)))  # as the sink does
                publish_apart(settings, *pair.at(index))
                pair.await_signals(index + 1)
            wait_until(lambda: database.signals.count_documents({}) == 6, limit=10, what="both pairs'")
            wait_until(  # a signal is counted after it is stored
                lambda: [first.pulse().stored, second.pulse().stored] == [3, 3], limit=10, what="three each"
            )


class TestModel:
    def test_without_one_there_is_one_alert_until_there_is_one(
        self, settings: Settings, pair: Pair, run: Run
    ) -> None:
        with run() as service:
            for index in range(3):
                publish_candles(settings, pair.at(index))
            wait_until(lambda: withheld(service, "no_model") == 6, limit=20, what="three candles of both")
            assert [alert["resolved_at"] for alert in pair.alerts()] == [None]
            pair.promote()
            wait_until(lambda: service.pulse().models, limit=10, what="the champion")
            publish_candles(settings, pair.at(3))
            pair.await_signals(1)
            wait_until(lambda: pair.alerts()[0]["resolved_at"], limit=5, what="the alert's end")
        assert len(pair.alerts()) == 1

    def test_an_expired_one_gives_no_signal_and_one_alert_over_a_restart(
        self, settings: Settings, database: Documents, pair: Pair, run: Run
    ) -> None:
        version = pair.promote()
        start = datetime(2026, 2, 1, tzinfo=UTC)  # the model was trained until the year began
        late, beside = (candles(name, "1m", KNOWN, start) for name in (pair.symbol, pair.other))
        database.historical_data.insert_many([*late[:-2], *beside[:-2]])
        for index in (-2, -1):
            with run() as service:
                publish_candles(settings, [late[index], beside[index]])
                wait_until(
                    lambda: withheld(service, "model_expired") == 1,
                    limit=20,
                    what="the candle",
                )
        assert pair.signals() == []
        (alert,) = pair.alerts()
        assert version in alert["message"]
        assert alert["resolved_at"] is None

    def test_a_swap_under_way_makes_no_second_signal(self, settings: Settings, pair: Pair, run: Run) -> None:
        first = pair.promote(0)
        with run() as service:
            publish_candles(settings, pair.at(0))
            pair.await_signals(1)
            second = pair.promote(1)
            wait_until(lambda: service.pulse().models.get(pair.symbol) == second, limit=10, what="the swap")
            publish_candles(settings, [*pair.at(0), *pair.at(1)])
            found = pair.await_signals(2)
        assert [signal["model_version"] for signal in found] == [first, second]


class TestKilled:
    def test_between_write_and_commit_makes_no_second_signal(
        self, settings: Settings, pair: Pair, tmp_path: Path
    ) -> None:
        first = pair.promote(0)
        done = committed(settings)
        never = "import streaming.signals as s; s.COMMIT_S = 3600; s.main()"
        log = tmp_path / "killed.log"
        with running(
            [sys.executable, "-c", never],
            ready=lambda: b"INFO" in log.read_bytes(),
            log=log,
            env=environment(settings),
        ) as process:
            publish_candles(settings, [*pair.at(0), *pair.at(1)])
            before = pair.await_signals(2)
            process.kill()
            process.wait(5)
        assert committed(settings) == done, "Kafka gives the same candles again, before the next one"
        pair.promote(1)
        with starter(settings, tmp_path)("signals"):
            publish_candles(settings, pair.at(2))
            wait_until(lambda: len(pair.signals()) == 3, limit=60, what="the third signal")
        assert pair.signals()[:2] == before
        assert {signal["model_version"] for signal in before} == {first}
        assert {each["_id"] for each in told(settings, pair.symbol)} == {
            signal["_id"] for signal in pair.signals()
        }


def committed(settings: Settings) -> dict[Any, Any]:
    """Return how far the daemon's group has come in Kafka."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)

    def answer() -> list[dict[Any, Any]] | None:
        with contextlib.suppress(RetriableError):  # a broker that has just begun looks for a coordinator
            return [dict(admin.list_group_offsets([SIGNALS_GROUP])[SIGNALS_GROUP])]
        return None

    try:
        return wait_until(answer, limit=15, what="the group's offsets")[0]
    finally:
        admin.close()


class TestAway:
    def test_mongodb_away_is_waited_out(
        self, settings: Settings, database: Documents, tmp_path: Path
    ) -> None:
        port = free_port()
        own = settings.model_copy(update={"mongo_uri": SecretStr(mongod.uri(port))})
        (tmp_path / "data").mkdir()
        server = partial(
            running,
            mongod.command(port, tmp_path / "data", cache_gb=0.25),
            ready=lambda: mongod.initiate(port),
            log=tmp_path / "mongod",
        )
        stop, publisher = threading.Event(), Publisher(own.kafka_bootstrap)
        service = SignalService(own, publisher, stop)
        thread = threading.Thread(target=service.run)
        with server():
            pair = Pair(connect(own), settings.symbols)
            pair.promote()
            thread.start()
            publish_candles(own, pair.at(0))
            pair.await_signals(1)
        publish_candles(own, pair.at(1))
        wait_until(lambda: service.pulse().problem, limit=20, what="a problem")
        with server():
            pair.await_signals(2)
            publish_candles(own, pair.at(2))
            pair.await_signals(3)
            wait_until(lambda: service.pulse().problem is None, limit=10, what="its end")
            stop.set()
            thread.join(15)
            assert [signal["late"] for signal in pair.signals()] == [False] * 3
        publisher.close(2)

    @pytest.mark.slow
    def test_kafka_away_is_waited_out(self, settings: Settings, pair: Pair, run: Run, tmp_path: Path) -> None:
        port = free_port()
        own = settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{port}"})
        kafka.configure(tmp_path / "kafka", port, free_port())
        broker = partial(
            running,
            kafka.command(tmp_path / "kafka"),
            ready=lambda: ensure_topics(own.kafka_bootstrap) is None,
            log=tmp_path / "kafka.log",
        )
        pair.promote()
        with broker() as process, run(own=own) as service:
            publish_candles(own, pair.at(0))
            pair.await_signals(1)
            process.kill()
            process.wait(10)
            with broker():
                publish_candles(own, pair.at(1))
                pair.await_signals(2)
                wait_until(lambda: service.pulse().problem is None, limit=10, what="no problem")
                assert {one["_id"] for one in told(own, pair.symbol)} == {
                    signal["_id"] for signal in pair.signals()
                }

    @pytest.mark.parametrize("hung", [False, True])
    def test_a_stop_is_obeyed_while_mongodb_and_kafka_do_not_answer(
        self, settings: Settings, tmp_path: Path, hung: bool
    ) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(64) if hung else None
            port = silent.getsockname()[1]
            away = settings.model_copy(
                update={
                    "kafka_bootstrap": f"127.0.0.1:{port}",
                    "mongo_uri": SecretStr(f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"),
                }
            )
            with starter(away, tmp_path)("signals"):
                pass  # the starter ends it, and it has 10 s


def batch_signals(database: Documents, settings: Settings, pair: Pair) -> dict[Any, Document]:
    """Return what batch says of the pair's candles, by open time."""
    count = KNOWN + 5
    own, beside = pair.own[:count], pair.beside[:count]
    database.historical_data.insert_many([*own[KNOWN:], *beside[KNOWN:]])
    values = compute(pd.DataFrame(own), pd.DataFrame(beside), Interval.MINUTE_1)
    database.features.insert_many(
        {
            "_id": f"{candle['_id']}|{FEATURE_SET.version}",
            "symbol": pair.symbol,
            "interval": "1m",
            "open_time": candle["open_time"],
            "version": FEATURE_SET.version,
            "values": row,
        }
        for candle, row in zip(own[-5:], values.tail(5).to_dict("records"), strict=True)
    )
    return {each["open_time"]: each for each in score_latest(database, champion_bundles(database, settings))}
