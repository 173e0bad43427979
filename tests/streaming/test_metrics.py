from __future__ import annotations

import logging
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from cryptobot.settings import Settings
from cryptobot.storage.collections import STREAMING_DATA
from streaming.documents import wrap
from streaming.metrics import Tally, serve
from streaming.service import Pulse
from tests.servers import free_port, wait_until
from tests.streaming.conftest import starter
from tests.streaming.feed import RECEIVED_MS, trade
from tests.streaming.test_live_path import Documents, await_trades, publish


def scraped(port: int) -> dict[str, float]:
    """Return every sample that the port serves, by its name and labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


class TestTally:
    def test_counts_what_is_at_most_each_bound(self) -> None:
        tally = Tally("wait_seconds", "Waits.", (0.1, 1.0))
        tally.observe([0.05, 0.1, 0.5])
        tally.observe([7.0])
        samples = {
            (sample.name, sample.labels.get("le")): sample.value for sample in tally.family("sink").samples
        }
        assert samples == {
            ("cryptobot_sink_wait_seconds_bucket", "0.1"): 2,
            ("cryptobot_sink_wait_seconds_bucket", "1.0"): 3,
            ("cryptobot_sink_wait_seconds_bucket", "+Inf"): 4,
            ("cryptobot_sink_wait_seconds_count", None): 4,
            ("cryptobot_sink_wait_seconds_sum", None): pytest.approx(7.65),
        }


class TestServe:
    def test_tells_the_pulse_as_it_is_when_it_is_asked(self) -> None:
        pulse, port = Pulse(), free_port()
        end = serve(port, "sink", lambda: pulse)
        pulse.messages, pulse.problem = 7, "MongoDB is away"
        found = scraped(port)
        assert found["cryptobot_sink_messages_total"] == 7
        assert found["cryptobot_sink_unhealthy"] == 1
        assert "cryptobot_sink_lag" not in found  # not known yet
        pulse.problem, pulse.lag = None, 3
        assert (scraped(port)["cryptobot_sink_unhealthy"], scraped(port)["cryptobot_sink_lag"]) == (0, 3)
        end()
        with pytest.raises(URLError):
            scraped(port)

    def test_a_busy_port_is_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        port = free_port()
        end = serve(port, "producer", Pulse)
        with caplog.at_level(logging.WARNING):
            serve(port, "sink", Pulse)()
        end()
        (line,) = caplog.messages
        assert f"port {port} of 127.0.0.1" in line
        assert "give this sink another CRYPTOBOT_METRICS_PORT" in line


class TestSink:
    def test_is_scraped_while_it_works(
        self, live_settings: Settings, database: Documents, symbol: str, tmp_path: Path
    ) -> None:
        port = free_port()
        settings = live_settings.model_copy(update={"metrics_port": port})
        values = [wrap(trade(symbol, n, T=RECEIVED_MS).encode(), RECEIVED_MS) for n in range(50)]
        publish(settings, [*values, values[0].replace(b'"received_at"', b'"source":"rest","received_at"')])
        with starter(settings, tmp_path)("sink"):
            await_trades(database, symbol, range(50))
            found = wait_until(
                lambda: (now := scraped(port)).get("cryptobot_sink_lag") == 0 and now, limit=10, what="no lag"
            )
        assert found["cryptobot_sink_messages_total"] >= 51
        stored = database[STREAMING_DATA].count_documents({"kind": {"$ne": "ticker"}})
        assert found["cryptobot_sink_stored_total"] == stored >= 50
        assert found["cryptobot_sink_bytes_total"] >= sum(map(len, values))
        assert found["cryptobot_sink_batch_seconds_count"] >= 1
        # What was fetched to fill a hole says nothing of how long the stream takes.
        assert 50 <= found["cryptobot_sink_latency_seconds_count"] < found["cryptobot_sink_messages_total"]
        assert found['cryptobot_sink_latency_seconds_bucket{le="0.005"}'] == 0
