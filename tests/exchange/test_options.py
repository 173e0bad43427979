"""What the environment may say, and what is said about what it may not."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.exchange.options import OptionError, from_environment
from tests.servers import free_port


def test_the_defaults_are_the_real_exchanges() -> None:
    options = from_environment({})
    assert (options.host, options.speed, options.weight_limit) == ("127.0.0.1", 1.0, 6000)
    assert options.admin_port is None
    assert options.replay_dir is None


def test_everything_can_be_set(tmp_path: Path) -> None:
    options = from_environment(
        {
            "EXCHANGE_SPEED": "60",
            "EXCHANGE_SIGNAL_STRENGTH": "0",
            "EXCHANGE_SYMBOLS": "BTCUSDT, SOLUSDT",
            "REPLAY_DIR": str(tmp_path),
            "REPLAY_SHIFT": "1",
            "EXCHANGE_ADMIN_PORT": "9999",
            "EXCHANGE_CACHE_MB": "512",
        }
    )
    assert options.symbols == ("BTCUSDT", "SOLUSDT")
    assert (options.speed, options.signal_strength, options.admin_port) == (60.0, 0.0, 9999)
    assert options.cache_mb == 512
    assert (options.replay_dir, options.replay_shift) == (tmp_path, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXCHANGE_SPEED", "fast"),
        ("EXCHANGE_SPEED", "0"),
        ("EXCHANGE_SPEED", "nan"),
        ("EXCHANGE_SEED", "-1"),
        ("EXCHANGE_SIGNAL_STRENGTH", "-0.1"),
        ("EXCHANGE_SYMBOLS", "btc/usdt"),
        ("EXCHANGE_ADMIN_PORT", "70000"),
        ("REPLAY_DIR", "/no/such/folder"),
        ("REPLAY_SHIFT", "perhaps"),
        ("EXCHANGE_TLS_CERT", "/no/such/file"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(OptionError, match=name) as raised:
        from_environment({name: value})
    assert "correct it or unset it" in str(raised.value)


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    (tmp_path / "cert").write_text("x")
    with pytest.raises(OptionError, match="go together"):
        from_environment({"EXCHANGE_TLS_CERT": str(tmp_path / "cert")})


def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = subprocess.run(
            [sys.executable, "-m", "infra.exchange.cli"],
            env={"EXCHANGE_PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert "EXCHANGE_PORT" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"EXCHANGE_SPEED": "fast"}, "EXCHANGE_SPEED is 'fast'"),
        ({"REPLAY_DIR": str(Path(__file__).parent)}, "holds no candles"),
    ],
)
def test_the_command_ends_with_one_sentence(env: dict[str, str], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "infra.exchange.cli"],
        env={"EXCHANGE_PORT": str(free_port()), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
