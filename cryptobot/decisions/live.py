"""Signals live: each closed candle scored as it comes, by the function and the model of batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd
from pymongo.database import Database

from cryptobot.decisions.decision import decide_every_way
from cryptobot.decisions.signals import signal_document
from cryptobot.decisions.window import CandleWindow
from cryptobot.features import FEATURE_SET, FeatureInputError, compute, other_symbol
from cryptobot.market import Interval, kline_id
from cryptobot.serving.bundle import Bundle
from cryptobot.storage.candle_pages import find_candles, last_candles
from cryptobot.storage.database import Document

NEEDED = FEATURE_SET.warm_up + 1
"""Candles that the features of one are computed from, its own included."""
REACH = 500
"""A candle that is repaired is scored if it is among so many of the newest: as many as a chart shows."""


class Withheld(StrEnum):
    """Why a candle has no signal."""

    NO_MODEL = "no_model"
    MODEL_EXPIRED = "model_expired"
    INCOMPLETE = "incomplete"
    """Candles are missing among the last ones, of its own or of the other pair."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What there is to say of one closed candle.

    Attributes
    ----------
    features
        By name; ``None`` where candles are missing.
    late
        A newer candle of the symbol has closed: what it says is kept, but is no news.
    signal
        The document of ``signals``, or ``None`` for the reason ``withheld``, told in ``why``.
    """

    candle: Document
    features: Mapping[str, float | None]
    late: bool
    fit: bool = False
    version: str | None = None
    signal: Document | None = None
    withheld: Withheld | None = None
    why: str = ""


class LiveScorer:
    """Holds the last closed candles of every symbol, and assesses any one of them.

    Parameters
    ----------
    champion
        Returns the bundle that serves a symbol at this moment.
    max_age
        For how long after its training a model is used.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        interval: Interval,
        champion: Callable[[str], Bundle | None],
        max_age: timedelta,
    ) -> None:
        self._symbols = tuple(symbols)
        self._interval = interval
        self._champion = champion
        self._max_age = max_age
        self._windows: dict[str, CandleWindow] = {}

    def load(self, database: Database[Document], symbol: str) -> None:
        """Read the last candles of a symbol, recorded and live."""
        for candle in last_candles(database, symbol, self._interval.value, NEEDED + REACH):
            self.add(candle)

    def add(self, candle: Document) -> bool:
        """Take a closed candle; false where it is known already, or older than all that are kept."""
        return self._window(candle["symbol"]).add(candle)

    def holds(self, symbol: str, open_ms: int) -> bool:
        """Tell whether a candle is kept, and so can be assessed."""
        return self._window(symbol).get(open_ms) is not None

    def missing(self, symbol: str, open_ms: int) -> dict[str, list[int]]:
        """Return by symbol the open times of the candles that a candle's features lack."""
        pair = (symbol, self._other(symbol, self._champion(symbol)))
        lacking = {name: self._window(name).missing(open_ms, NEEDED) for name in pair if name}
        return {name: opened for name, opened in lacking.items() if opened}

    def refill(self, database: Database[Document], lacking: Mapping[str, Sequence[int]]) -> bool:
        """Look for missing candles in the database; true where some were found."""
        found = [
            candle
            for symbol, opened in lacking.items()
            for candle in find_candles(database, symbol, self._interval.value, opened)
        ]
        return sum(self.add(candle) for candle in found) > 0

    def assess(self, symbol: str, open_ms: int, now: datetime) -> Assessment | None:
        """Return what there is to say of a candle; ``None`` for one older than all that are kept.

        The champion is looked up once, so that a swap under way changes nothing within.
        """
        window = self._window(symbol)
        candle = window.get(open_ms)
        if candle is None:
            return None
        bundle = self._champion(symbol)
        row, fault = self._features(symbol, self._other(symbol, bundle), open_ms)
        late = window.newest != open_ms
        values = {str(name): None if np.isnan(value) else float(value) for name, value in row.items()}
        if bundle is None or bundle.manifest.interval != self._interval.value:
            return Assessment(
                candle, values, late, withheld=Withheld.NO_MODEL, why=self._without(symbol, bundle)
            )
        made = Assessment(candle, values, late, bundle.manifest.fit, bundle.manifest.version)
        expiry = bundle.manifest.expires_at(self._max_age)
        if candle["close_time"] > expiry:
            why = f"{made.version} was for candles until {expiry:%Y-%m-%d %H:%M} UTC"
            return replace(made, withheld=Withheld.MODEL_EXPIRED, why=why)
        row = row[list(bundle.manifest.feature_set.names)]
        if row.isna().any():
            fault = fault or f"{row.index[row.isna()][0]} is missing: a hole among the last {NEEDED} candles"
            return replace(made, withheld=Withheld.INCOMPLETE, why=fault)
        decision, profiles = decide_every_way(bundle, row.to_numpy(np.float32).reshape(1, -1))
        signal = {
            **signal_document(bundle.manifest, candle, decision, source="live", created_at=now),
            "_id": f"{kline_id(symbol, self._interval.value, open_ms)}|live",
            "profiles": profiles,
            "late": late,
        }
        return replace(made, signal=signal)

    def _features(self, symbol: str, beside: str | None, open_ms: int) -> tuple[pd.Series[float], str]:
        """Return the features of one candle, and what keeps them from being computed at all."""
        candles = self._window(symbol).frame(open_ms, NEEDED)
        other = self._window(beside).frame(open_ms, NEEDED) if beside else None
        try:
            return compute(candles, other, self._interval).iloc[-1], ""
        except FeatureInputError as error:
            return pd.Series(np.nan, index=list(FEATURE_SET.names)), str(error)

    def _other(self, symbol: str, bundle: Bundle | None) -> str | None:
        return bundle.manifest.other_symbol if bundle else other_symbol(symbol, self._symbols)

    def _without(self, symbol: str, bundle: Bundle | None) -> str:
        if bundle is None:
            return f"{symbol} has no model yet"
        manifest = bundle.manifest
        return f"{manifest.version} is for {manifest.interval} candles, signals are of {self._interval}"

    def _window(self, symbol: str) -> CandleWindow:
        return self._windows.setdefault(symbol, CandleWindow(self._interval, NEEDED + REACH))
