"""The replay market: recorded candles, at their own times or shifted to run up to now and on."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, EMPTY, MINUTE_MS, Bars, Ints, aggregate, concat, grid
from infra.exchange.instruments import Instrument
from infra.exchange.recent import Recent
from infra.exchange.record_files import Recorded, number_trades, read_folder

_HOLE_MS = DAY_MS
"""A pause longer than this is not a halt of the exchange: nothing was recorded there."""


class ReplayMarket:
    """Candles of recorded files; ``now_ms`` makes them run up to then and on without end.

    Shifted, all times move by the same number of whole days, and once the record is over its
    last 24 hours go round, their trade ids counting on. A candle that the record holds only in
    part, because recording began or ended within it, is left out.
    """

    def __init__(self, folder: Path, now_ms: int | None = None) -> None:
        read = read_folder(folder)
        self.instruments: Mapping[str, Instrument] = {symbol: read[symbol][0] for symbol in sorted(read)}
        self._recorded: dict[str, Recorded] = {symbol: read[symbol][1] for symbol in read}
        self._tapes = {symbol: _tape(recorded) for symbol, recorded in self._recorded.items()}
        self.record_end = max(int(tape.close_ms[-1]) + 1 for tape in self._tapes.values())
        self._endless = now_ms is not None
        behind = 0 if now_ms is None else now_ms - (self.record_end - DAY_MS)
        self._shift = behind // DAY_MS * DAY_MS
        self._ranges: Recent[tuple[str, Interval], tuple[Ints, Ints]] = Recent(256)

    def first_open(self, symbol: str) -> int:
        """Return the open time, ms, of the symbol's first candle."""
        return int(self._tapes[symbol].open_ms[0]) + self._shift

    def end(self, symbol: str) -> int | None:
        """Return the ms at which the symbol's record ends, or None when it runs on."""
        return None if self._endless else int(self._tapes[symbol].close_ms[-1]) + 1

    def serves(self, symbol: str, interval: Interval) -> bool:
        """Tell whether ``interval`` was recorded or can be made of a finer one that was."""
        return interval.milliseconds >= MINUTE_MS and any(
            _makes(finer, interval) for finer in self._recorded[symbol]
        )

    def finest(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finest candles that open in ``[start_ms, end_ms)``."""
        tape, shift = self._tapes[symbol], self._shift
        parts = [tape.between(start_ms - shift, end_ms - shift).shifted(shift)]
        if self._endless and end_ms > self.record_end + shift:
            day = tape.between(self.record_end - DAY_MS, self.record_end)
            trades, aggs = int(day.trades.sum()), int(day.aggs.sum())
            first = max(1, (start_ms - shift - self.record_end) // DAY_MS + 1)
            last = (end_ms - 1 - shift - self.record_end) // DAY_MS + 1
            for lap in range(first, last + 1):
                again = day.shifted(shift + lap * DAY_MS, lap * trades, lap * aggs)
                parts.append(again.between(start_ms, end_ms))
        return concat([part for part in parts if len(part)])

    def candles(self, symbol: str, interval: Interval, start_ms: int, end_ms: int, zone_ms: int = 0) -> Bars:
        """Return the whole candles of ``interval`` that open in ``[start_ms, end_ms)``."""
        start, end = grid(interval, start_ms, end_ms, zone_ms)
        bars = self.finest(symbol, start, end)
        bars = bars[bars.close_ms - bars.open_ms < interval.milliseconds]
        made = aggregate(bars, interval, zone_ms)
        made = made[self._complete(symbol, interval, made)]
        recorded = EMPTY if zone_ms else self._as_recorded(symbol, interval, start, end)
        if len(recorded):
            made = made[~np.isin(made.open_ms, recorded.open_ms)]
            made = concat([made, recorded])
            order = np.argsort(made.open_ms)
            made = Bars(*(column[order] for column in made.columns()))
        return made.between(start_ms, end_ms)

    def opened_by(self, symbol: str, number: int, *, aggregate: bool) -> int:
        """Return the open time, ms, of the finest candle that holds trade (or aggregate) ``number``."""
        tape = self._tapes[symbol]
        firsts, counts = (tape.first_agg, tape.aggs) if aggregate else (tape.first_trade, tape.trades)
        past, lap = number - int(firsts[-1] + counts[-1]), 0
        if past >= 0:
            daily = int(counts[np.searchsorted(tape.open_ms, self.record_end - DAY_MS) :].sum())
            if not self._endless or not daily:
                return int(tape.close_ms[-1]) + 1 + self._shift
            lap = past // daily + 1
            number -= lap * daily
        row = max(0, int(np.searchsorted(firsts, number, side="right")) - 1)
        return int(tape.open_ms[row]) + self._shift + lap * DAY_MS

    def rng(self, symbol: str, open_ms: int) -> np.random.Generator:
        """Return the generator of a candle's trades; laps of the same candle trade alike."""
        recorded = open_ms - self._shift
        laps = max(0, (recorded - self.record_end) // DAY_MS + 1)
        key = np.array([zlib.crc32(symbol.encode()), recorded - laps * DAY_MS], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def _as_recorded(self, symbol: str, interval: Interval, start_ms: int, end_ms: int) -> Bars:
        if self._shift and interval.milliseconds > DAY_MS:
            return EMPTY
        recorded = self._recorded[symbol].get(interval, EMPTY)
        return recorded.between(start_ms - self._shift, end_ms - self._shift).shifted(self._shift)

    def _complete(self, symbol: str, interval: Interval, made: Bars) -> NDArray[np.bool_]:
        """Tell which candles lie whole within a stretch that was recorded without a long hole."""
        starts, ends = self._ranges.get((symbol, interval), lambda: self._stretches(symbol, interval))
        place = np.searchsorted(starts, made.open_ms, side="right") - 1
        if not len(starts):
            return np.zeros(len(made), bool)
        return (place >= 0) & (made.close_ms < ends[np.maximum(place, 0)])

    def _stretches(self, symbol: str, interval: Interval) -> tuple[Ints, Ints]:
        tape = self._tapes[symbol]
        tape = tape[tape.close_ms - tape.open_ms < interval.milliseconds]
        if not len(tape):
            return EMPTY.open_ms, EMPTY.open_ms
        last = np.flatnonzero(tape.open_ms[1:] - tape.close_ms[:-1] > _HOLE_MS)
        starts = tape.open_ms[np.append(0, last + 1)] + self._shift
        ends = tape.close_ms[np.append(last, len(tape) - 1)] + 1 + self._shift
        if self._endless:
            ends[-1] = np.iinfo(np.int64).max
        return starts, ends


def _tape(recorded: Recorded) -> Bars:
    """Return the finest candles at each time, in order, their trades numbered."""
    tape = EMPTY
    for interval in sorted(recorded, key=lambda interval: interval.milliseconds):
        bars = recorded[interval]
        if interval.milliseconds >= MINUTE_MS:
            after = np.searchsorted(tape.open_ms, bars.open_ms)
            before = np.searchsorted(tape.open_ms, bars.close_ms, side="right")
            tape = concat([tape, bars[after == before]])
            order = np.argsort(tape.open_ms)
            tape = Bars(*(column[order] for column in tape.columns()))
    return number_trades(tape)


def _makes(finer: Interval, interval: Interval) -> bool:
    return interval.milliseconds % finer.milliseconds == 0 or (
        interval.milliseconds > DAY_MS and finer.milliseconds <= DAY_MS
    )
