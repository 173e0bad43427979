from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer

from cryptobot.market import topics
from cryptobot.settings import Settings
from cryptobot.storage.collections import STREAMING_DATA
from streaming import dead_letters
from streaming.documents import wrap
from streaming.letters import DeadLetters, Letter
from tests.servers import free_port, wait_until
from tests.streaming.conftest import Starter
from tests.streaming.feed import RECEIVED_MS, trade
from tests.streaming.test_live_path import Documents, await_trades, publish, stored_ids


def letters_of(settings: Settings, symbol: str) -> list[Letter]:
    """Return the dead letters that name the test's symbol."""
    with DeadLetters(settings.kafka_bootstrap) as letters:
        return [letter for letter in letters.read() if symbol.encode() in letter.value]


def sent_to_trades(settings: Settings, value: bytes) -> int:
    with KafkaConsumer(
        topics.TRADES,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3_000,
    ) as consumer:
        return sum(record.value == value for record in consumer)


class Command:
    """Runs the command in this process, with the test's settings."""

    def __init__(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]
    ) -> None:
        self.settings = settings
        monkeypatch.setattr(dead_letters, "settings", lambda: self.settings)
        monkeypatch.setenv("COLUMNS", "200")
        self._monkeypatch = monkeypatch
        self._output = output

    def __call__(self, *arguments: str) -> str:
        self._monkeypatch.setattr(sys, "argv", ["cryptobot-dead-letters", *arguments])
        dead_letters.main()
        return self._output.readouterr().out


@pytest.fixture
def command(
    live_settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(live_settings, monkeypatch, capsys)


class TestReplay:
    def test_a_letter_is_stored_when_its_cause_is_gone_and_is_not_sent_twice(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter, command: Command
    ) -> None:
        values = [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(3)]
        with start("sink"):
            publish(live_settings, [wrap(trade(symbol, 3).encode(), RECEIVED_MS)])
            await_trades(database, symbol, range(3, 4))  # by now the sink has seen to the validators
            valid = database.command("listCollections", filter={"name": STREAMING_DATA})
            validator = valid["cursor"]["firstBatch"][0]["options"]["validator"]
            database.command("collMod", STREAMING_DATA, validator={"trade_id": {"$ne": 1}})
            publish(live_settings, values)
            letter = wait_until(lambda: letters_of(live_settings, symbol), limit=30, what="the letter")[0]
            assert "validation" in letter.reason
            assert (letter.key, letter.value, letter.waiting) == (symbol.encode(), values[1], True)
            assert letter.origin.split()[0] == topics.TRADES
            database.command("collMod", STREAMING_DATA, validator=validator)

            assert "would be sent again" in command("replay", "--dry-run")
            assert letters_of(live_settings, symbol)[0].waiting
            assert "sent again to the topics they came from" in command("replay")
            await_trades(database, symbol, range(4))
            assert not letters_of(live_settings, symbol)[0].waiting
            command("replay")
            assert sent_to_trades(live_settings, values[1]) == 2
            command("replay", "--again", "--since", "1h")
            assert sent_to_trades(live_settings, values[1]) == 3
        assert stored_ids(database, symbol) == [0, 1, 2, 3]

    def test_what_is_still_broken_becomes_a_letter_again_that_tells_of_the_one_before(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter, command: Command
    ) -> None:
        publish(live_settings, [b'{"stream":"\x1b[2J' + symbol.encode()])
        with start("sink"):
            (first,) = wait_until(lambda: letters_of(live_settings, symbol), limit=30, what="the letter")
            command("replay")
            again = wait_until(
                lambda: letters_of(live_settings, symbol)[1:], limit=30, what="the letter of the replay"
            )
        assert [letter.headers["replayed"] for letter in again] == [str(first.offset)]
        shown = command("list", "--since", "1h", "--limit", "50")
        assert f"\ufffd[2J{symbol}" in shown  # no message writes on the terminal as it likes
        assert "JSONDecodeError" in shown
        assert "waiting" in shown
        assert symbol not in command("list", "--since", "2099-01-01")


class TestCommand:
    def test_kafka_away_is_one_sentence(self, live_settings: Settings, command: Command) -> None:
        port = free_port()
        command.settings = live_settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{port}"})
        with pytest.raises(SystemExit) as ended:
            command("list")
        assert str(ended.value).startswith(f"Kafka at 127.0.0.1:{port} does not answer")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("list", "--since", "soon"), "'soon' is no time; write 2026-11-22T10:00 or an age"),
            (("replay", "--limit", "0"), "'0' is no number above zero"),
        ],
    )
    def test_says_what_it_does_not_understand(
        self, command: Command, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
    ) -> None:
        with pytest.raises(SystemExit):
            command(*arguments)
        assert said in " ".join(capsys.readouterr().err.split())

    def test_an_age_is_counted_back_from_now(self) -> None:
        ago = datetime.now(UTC) - dead_letters.instant("90m")
        assert timedelta(minutes=89) < ago < timedelta(minutes=91)
