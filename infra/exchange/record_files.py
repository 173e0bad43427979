"""Recorded archive files: kline CSV, plain or zipped, with a header or not, in ms or us."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryptobot.market import Interval
from cryptobot.market.kline import milliseconds
from infra.exchange.bars import Bars, Ints
from infra.exchange.instruments import Instrument
from infra.exchange.options import OptionError
from infra.exchange.trades import agg_counts

_NAME = re.compile(r"^([A-Z0-9]{4,20})-(\d+[smhdwM])-\d{4}-\d{2}(-\d{2})?\.(csv|zip)$")
_FIELDS = 12
_PLACES = 8
_PRICES, _BASES, _QUOTES = slice(1, 5), (5, 9), (7, 10)
_INTERVALS = {interval.value: interval for interval in Interval}

Recorded = dict[Interval, Bars]


def read_folder(folder: Path) -> dict[str, tuple[Instrument, Recorded]]:
    """Return what ``folder`` holds, by symbol: its precision, and candles by interval.

    Files are named as in the archive (``BTCUSDT-1m-2025-10-29.csv`` or ``.zip``). Of a candle
    that several files hold, the last file's is taken. Ids of trades are counted by
    :func:`number_trades`. Raises :class:`OptionError` for a file that cannot be read.
    """
    rows: dict[str, dict[Interval, dict[int, list[int]]]] = defaultdict(lambda: defaultdict(dict))
    for path in sorted(folder.iterdir()):
        found = _NAME.match(path.name)
        if found and found[2] in _INTERVALS:
            rows[found[1]][_INTERVALS[found[2]]].update((row[0], row) for row in _rows(path))
    if not any(by_open for by_interval in rows.values() for by_open in by_interval.values()):
        raise OptionError(
            f"REPLAY_DIR is {folder}, which holds no candles; it needs files named as in the "
            "archive, BTCUSDT-1m-2025-10-29.csv or .zip"
        )
    return {symbol: _record(symbol, by_interval) for symbol, by_interval in rows.items()}


def number_trades(bars: Bars) -> Bars:
    """Return ``bars`` with ids of trades and aggregates counted from 1, without a hole."""
    aggs = agg_counts(bars.trades)
    return replace(
        bars,
        first_trade=1 + np.cumsum(bars.trades) - bars.trades,
        first_agg=1 + np.cumsum(aggs) - aggs,
        aggs=aggs,
    )


def _rows(path: Path) -> Iterator[list[int]]:
    """Yield rows as integers: times in ms, decimals in 10**-8."""
    for number, row in enumerate(csv.reader(io.StringIO(_text(path))), 1):
        if number == 1 and row and not row[0].isdigit():
            continue
        try:
            yield [
                milliseconds(int(text)) if place in (0, 6) else int(text) if place == 8 else _scaled(text)
                for place, text in enumerate(row[: _FIELDS - 1])
            ]
            complete = len(row) >= _FIELDS - 1
        except ValueError:
            complete = False
        if not complete:
            raise OptionError(
                f"{path} line {number} is not a candle of the archive ({_FIELDS} fields, at most "
                f"{_PLACES} decimals): {','.join(row)[:80]!r}; correct or remove the file"
            )


def _text(path: Path) -> str:
    try:
        if path.suffix == ".csv":
            return path.read_text()
        with zipfile.ZipFile(path) as packed:
            return packed.read(packed.namelist()[0]).decode()
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, IndexError) as error:
        raise OptionError(f"{path} cannot be read ({error}); correct or remove the file") from error


def _scaled(text: str) -> int:
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _PLACES or not (whole + fraction).isdigit():
        raise ValueError(text)
    return int(whole + fraction.ljust(_PLACES, "0"))


def _record(symbol: str, by_interval: dict[Interval, dict[int, list[int]]]) -> tuple[Instrument, Recorded]:
    tables = {
        interval: np.array([by_open[at] for at in sorted(by_open)], np.int64)
        for interval, by_open in by_interval.items()
        if by_open
    }
    everything = np.concatenate(list(tables.values()))
    price = _places(everything[:, _PRICES])
    quantity = _places(everything[:, _BASES])
    quantity = max(quantity, _places(everything[:, _QUOTES]) - price)
    instrument = Instrument(symbol, price, quantity)
    return instrument, {interval: _bars(instrument, table) for interval, table in tables.items()}


def _places(values: Ints) -> int:
    """Return how many decimals the values need, which are in 10**-8."""
    return next(places for places in range(_PLACES + 1) if not (values % 10 ** (_PLACES - places)).any())


def _bars(instrument: Instrument, table: Ints) -> Bars:
    price, base = 10 ** (_PLACES - instrument.price_decimals), 10 ** (_PLACES - instrument.quantity_decimals)
    shift = instrument.quote_decimals - _PLACES
    quote, taker_quote = (
        table[:, column] * 10**shift if shift > 0 else table[:, column] // 10**-shift for column in _QUOTES
    )
    zeros = np.zeros(len(table), np.int64)
    bars = Bars(
        open_ms=table[:, 0],
        close_ms=table[:, 6],
        open=table[:, 1] // price,
        high=table[:, 2] // price,
        low=table[:, 3] // price,
        close=table[:, 4] // price,
        volume=table[:, 5] // base,
        quote=quote,
        trades=table[:, 8],
        taker_base=table[:, 9] // base,
        taker_quote=taker_quote,
        first_trade=zeros,
        first_agg=zeros,
        aggs=zeros,
    )
    wrong = np.flatnonzero((bars.trades > bars.volume) | (bars.low > bars.high))
    if len(wrong):
        raise OptionError(
            f"{instrument.symbol}: the recorded candle that opens at {bars.open_ms[wrong[0]]} ms contradicts "
            "itself (more trades than its volume allows, or low above high); correct or remove its file"
        )
    return number_trades(bars)
