"""freqtrade's ``download-data`` on the offline exchange, from an environment of its own.

It keeps six of a candle's twelve fields, as floats, in one Feather file a pair, and asks for its pages
many at a time. ``only_from_ccxt`` keeps it from its own reader of Binance's archive, whose address
cannot be set; its own pace is off, because the exchange's limit is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow.feather

from benchmarks.programs import Usage, watch
from cryptobot.market.span import Span
from tests.exchange.environments import interpreter

VERSION = "2026.9"
NAME = f"freqtrade {VERSION}"
_UP = "About to download pairs"


def download(rest_url: str, spans: Sequence[Span], folder: Path) -> tuple[float, Usage]:
    """Return the seconds in which it downloaded ``spans`` once it was up, and what it used.

    Raises ``EnvironmentUnavailableError`` where it cannot be installed, ``RuntimeError`` where it fails.
    """
    python = interpreter("freqtrade", (f"freqtrade=={VERSION}",))
    pairs = [f"{span.symbol.removesuffix('USDT')}/USDT" for span in spans]
    configuration, data = folder / "config.json", folder / "data"
    configuration.write_text(json.dumps(_configuration(rest_url, pairs)))
    command = [
        str(python.with_name("freqtrade")), "download-data", "--config", str(configuration),
        "--userdir", str(folder), "--datadir", str(data), "--pairs", *pairs, "--timeframes", "1m",
        "--timerange", f"{spans[0].start:%Y%m%d}-{spans[0].end:%Y%m%d}",
    ]  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    program = watch(command, environment)
    for span, pair in zip(spans, pairs, strict=True):
        _require(data / f"{pair.replace('/', '_')}-1m.feather", span)
    return program.seconds_since(_UP), program.usage


def _configuration(rest_url: str, pairs: Sequence[str]) -> dict[str, object]:
    return {
        "exchange": {
            "name": "binance",
            "pair_whitelist": pairs,
            "only_from_ccxt": True,
            "enable_ws": False,
            "ccxt_config": {
                "enableRateLimit": False,
                "urls": {"api": {"public": f"{rest_url}/api/v3"}},
                "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
            },
        },
        "stake_currency": "USDT",
        "dry_run": True,
    }


def _require(file: Path, span: Span) -> None:
    """Raise ``RuntimeError`` unless the file holds every candle of the span."""
    opened = pyarrow.feather.read_table(file, columns=["date"])["date"].to_pandas()
    held = int(((opened >= span.start) & (opened < span.end)).sum())
    expected = (span.end_ms - span.start_ms) // span.interval.milliseconds
    if held != expected:
        raise RuntimeError(f"{NAME} holds {held} candles of {span.symbol} instead of {expected}")
