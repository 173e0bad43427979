"""Which market a run is about: the synthetic one, a replayed record, or Binance itself."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptobot.market.interval import Interval
from infra.local.errors import LocalRunError

DEFAULT_SYMBOLS = "BTCUSDT,ETHUSDT"
DEFAULT_INTERVALS = "1m,15m,1h,1d"
ENOUGH_CANDLES = 2_000
"""Candles of each symbol that a signal interval needs, so that a model can be trained and tested."""

_RECORD = re.compile(
    r"(?P<symbol>[A-Z0-9]+)-(?P<interval>\d+[smhdwM])-\d{4}-\d{2}(-\d{2})?\.(?P<kind>csv|zip)"
)


@dataclass(frozen=True)
class Market:
    """A market's name, by which its data is kept apart, and the environment that selects it."""

    name: str
    title: str
    environment: Mapping[str, str]


def choose(environment: Mapping[str, str]) -> Market:
    """Return the market that ``EXCHANGE`` and ``REPLAY_DIR`` of ``environment`` ask for.

    Raises
    ------
    LocalRunError
        When they contradict each other, or name a record that cannot be replayed.
    """
    exchange = environment.get("CRYPTOBOT_EXCHANGE") or environment.get("EXCHANGE") or "offline"
    replay = environment.get("REPLAY_DIR", "")
    if exchange not in {"offline", "binance"}:
        raise LocalRunError(f"EXCHANGE is {exchange!r}; it may be offline (the default) or binance")
    if replay and exchange == "binance":
        raise LocalRunError("REPLAY_DIR is set, but EXCHANGE is binance; unset one of the two")
    if replay:
        return _replay(Path(replay), environment)
    if exchange == "binance":
        return Market("binance", "Binance, live", {"EXCHANGE": "binance", "REPLAY_DIR": ""})
    return Market("synthetic", "the synthetic market", {"EXCHANGE": "offline", "REPLAY_DIR": ""})


def _replay(folder: Path, environment: Mapping[str, str]) -> Market:
    if not folder.is_dir():
        raise LocalRunError(f"REPLAY_DIR is {folder}, which is no folder; name one that holds candle files")
    folder = folder.resolve()
    symbols = _listed(environment, "CRYPTOBOT_SYMBOLS", DEFAULT_SYMBOLS)
    intervals = [Interval(one) for one in _listed(environment, "CRYPTOBOT_INTERVALS", DEFAULT_INTERVALS)]
    chosen = environment.get("CRYPTOBOT_SIGNAL_INTERVAL") or signal_interval(folder, symbols, intervals)
    shifted = environment.get("REPLAY_SHIFT", "") not in {"", "0"}
    digest = hashlib.sha256(f"{folder}|{shifted}".encode()).hexdigest()[:8]
    return Market(
        f"replay-{digest}",
        f"the record in {folder}{', shifted to now' if shifted else ''}",
        {
            "EXCHANGE": "offline",
            "REPLAY_DIR": str(folder),
            "CRYPTOBOT_HISTORY_DAYS": environment.get("CRYPTOBOT_HISTORY_DAYS") or "all",
            "CRYPTOBOT_HISTORY_DAYS_1M": environment.get("CRYPTOBOT_HISTORY_DAYS_1M") or "all",
            "CRYPTOBOT_SIGNAL_INTERVAL": str(chosen),
        },
    )


def signal_interval(folder: Path, symbols: list[str], intervals: list[Interval]) -> Interval:
    """Return the coarsest of ``intervals`` of which the record holds enough candles for every symbol.

    Candles count that are recorded in the interval itself, or that finer ones make up.
    """
    held = _candles(folder)
    if not held:
        raise LocalRunError(
            f"REPLAY_DIR is {folder}, which holds no candle files (SYMBOL-1m-YYYY-MM-DD.csv or .zip); "
            "name another"
        )
    if missing := [symbol for symbol in symbols if not any(one == symbol for one, _ in held)]:
        raise LocalRunError(
            f"the record in {folder} holds no candles of {','.join(missing)}; "
            "set CRYPTOBOT_SYMBOLS to what it holds"
        )
    for interval in sorted(intervals, key=lambda one: one.milliseconds, reverse=True):
        if all(_available(held, symbol, interval) >= ENOUGH_CANDLES for symbol in symbols):
            return interval
    raise LocalRunError(
        f"the record in {folder} holds {ENOUGH_CANDLES} candles of each symbol in none of the intervals "
        f"{','.join(intervals)}; add files, or finer CRYPTOBOT_INTERVALS"
    )


def _available(held: Mapping[tuple[str, Interval], int], symbol: str, interval: Interval) -> int:
    return max(
        (
            count * recorded.milliseconds // interval.milliseconds
            for (of, recorded), count in held.items()
            if of == symbol and interval.milliseconds % recorded.milliseconds == 0
        ),
        default=0,
    )


def _candles(folder: Path) -> Counter[tuple[str, Interval]]:
    held: Counter[tuple[str, Interval]] = Counter()
    for path in sorted(folder.iterdir()):
        if named := _RECORD.fullmatch(path.name):
            held[named["symbol"], Interval(named["interval"])] += _rows(path)
    return held


def _rows(path: Path) -> int:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            content = archive.read(archive.namelist()[0])
    else:
        content = path.read_bytes()
    return sum(1 for line in content.splitlines() if line[:1].isdigit())


def _listed(environment: Mapping[str, str], name: str, default: str) -> list[str]:
    return [part.strip() for part in (environment.get(name) or default).split(",") if part.strip()]
