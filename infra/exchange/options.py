"""How the offline exchange is configured: the environment, checked once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptobot.settings import settings

T = TypeVar("T")


class OptionError(ValueError):
    """A setting that the exchange cannot run with; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that the environment decides."""

    port: int = 8090
    host: str = "127.0.0.1"
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    speed: float = 1.0
    seed: int = 83
    signal_strength: float = 1.0
    trades_per_second: float = 60.0
    weight_limit: int = 6000
    connection_limit: int = 300
    connection_seconds: float = 86_400.0
    ping_seconds: float = 20.0
    replay_dir: Path | None = None
    replay_shift: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_port: int = 0
    admin_port: int | None = None
    cache_mb: float = 32.0


def from_environment(environ: Mapping[str, str] = os.environ) -> Options:
    """Return the options that ``environ`` sets; raises :class:`OptionError` on a bad one."""
    product = settings()
    read = _Reader(environ)
    port = read("EXCHANGE_PORT", _port, product.exchange_port)
    options = Options(
        port=port,
        host=read("EXCHANGE_HOST", str, "127.0.0.1"),
        symbols=read("EXCHANGE_SYMBOLS", _symbols, product.symbols),
        speed=read("EXCHANGE_SPEED", _number(0.001, 100_000), 1.0),
        seed=read("EXCHANGE_SEED", _integer(0, 2**63 - 1), 83),
        signal_strength=read("EXCHANGE_SIGNAL_STRENGTH", _number(0, 10), 1.0),
        trades_per_second=read("EXCHANGE_TRADES_PER_SECOND", _number(0.5, 20_000), 60.0),
        weight_limit=read("EXCHANGE_WEIGHT_LIMIT", _integer(1, 10**9), 6000),
        connection_limit=read("EXCHANGE_CONNECTION_LIMIT", _integer(1, 10**9), 300),
        connection_seconds=read("EXCHANGE_CONNECTION_SECONDS", _number(0.1, 86_400), 86_400.0),
        ping_seconds=read("EXCHANGE_PING_SECONDS", _number(0.05, 600), 20.0),
        replay_dir=read("REPLAY_DIR", _folder, None),
        replay_shift=read("REPLAY_SHIFT", _switch, False),
        tls_cert=read("EXCHANGE_TLS_CERT", _file, None),
        tls_key=read("EXCHANGE_TLS_KEY", _file, None),
        tls_port=read("EXCHANGE_TLS_PORT", _port, port + 1 if port < 65_535 else 0),
        admin_port=read("EXCHANGE_ADMIN_PORT", _port, None),
        cache_mb=read("EXCHANGE_CACHE_MB", _number(0, 100_000), 32.0),
    )
    if (options.tls_cert is None) != (options.tls_key is None):
        raise OptionError("EXCHANGE_TLS_CERT and EXCHANGE_TLS_KEY go together; set both or neither")
    return options


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self._environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise OptionError(f"{name} is {text!r}, but {error}; correct it or unset it") from None


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}")
        return value

    return parse


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,19}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


_port = _integer(1, 65_535)


def _switch(text: str) -> bool:
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if text.lower() not in known:
        raise ValueError("must be 1 or 0")
    return known[text.lower()]


def _symbols(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found or not all(re.fullmatch(r"[A-Z0-9]{4,20}", symbol) for symbol in found):
        raise ValueError("must be symbols in capitals with commas between them, as BTCUSDT,ETHUSDT")
    return found


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError("that is not a folder that can be read")
    return Path(text)


def _file(text: str) -> Path:
    if not os.access(text, os.R_OK) or not Path(text).is_file():
        raise ValueError("that is not a file that can be read")
    return Path(text)
