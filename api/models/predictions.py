"""Scores by the champion that serves at the moment, the last candle's kept until there is another."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from api.json import dumps
from api.problems import Unavailable, Unprocessable
from cryptobot.decisions.decision import decide
from cryptobot.decisions.latest import LatestCandle, NoCompleteCandleError, latest_candle
from cryptobot.features import FEATURE_SET
from cryptobot.learning.risk import PROFILES, ProfileName
from cryptobot.market import Interval
from cryptobot.serving.manifest import Manifest
from cryptobot.serving.store import Champion, ChampionStore
from cryptobot.storage.candle_pages import last_open_time

log = logging.getLogger(__name__)

FRESH_SECONDS = 0.25
"""For so long the last candle is taken for the last without a look into the database."""

PATIENCE_SECONDS = 0.5
"""For so long a request waits for a look, when a candle is known that it can be answered with."""
READ_SECONDS = 5.0
FOLLOW_SECONDS = 5.0

ROWS_AT_ONCE = 20
"""So many are scored in about a millisecond: less than a thread's turn costs."""


_Place = tuple[str, str, str | None]
"""What a model's row is computed from: symbol, interval, and the symbol beside it."""


@dataclass(slots=True)
class _Known:
    """The last candle of a symbol, and the answers that were given for it by version and profile."""

    checked_at: float
    candle: LatestCandle
    answers: dict[tuple[str, str], bytes]
    away: bool = False
    """Whether the last look for a newer one took too long or failed: then nobody waits for the next."""


class Predictions:
    """What the predictions endpoint asks, for one worker."""

    def __init__(self, store: ChampionStore, database: Database[dict[str, Any]]) -> None:
        self._store = store
        self._database = database
        self._known: dict[_Place, _Known] = {}
        self._looks: dict[_Place, asyncio.Task[_Known]] = {}

    def champion(self, symbol: str) -> Champion:
        """Return what serves ``symbol``; raises ``Unavailable`` while nothing does."""
        serving = self._store.champion(symbol)
        if serving is None:
            raise Unavailable(f"no model of {symbol} is served yet; the main job trains and promotes one")
        return serving

    async def of_last_candle(self, symbol: str, profile: ProfileName) -> bytes:
        """Return the answer for the last closed candle, as JSON."""
        serving = self.champion(symbol)
        known = await self._newest(symbol, serving.bundle.manifest)
        key = (serving.version, profile)
        answer = known.answers.get(key)
        if answer is None:
            answer = known.answers[key] = _answer(serving, known.candle, profile)
        return answer

    async def of_rows(self, symbol: str, rows: list[dict[str, float]], profile: ProfileName) -> bytes:
        """Return the answer for rows of features, as JSON; many rows do not hold up other requests."""
        serving = self.champion(symbol)
        matrix = _matrix(rows, serving.bundle.manifest.feature_set.names)
        if len(rows) <= ROWS_AT_ONCE:
            decisions = decide(serving.bundle, matrix, PROFILES[profile])
        else:
            decisions = await asyncio.to_thread(decide, serving.bundle, matrix, PROFILES[profile])
        items = [decision.document() for decision in decisions]
        return dumps({**_identity(serving.bundle.manifest), "items": items})

    async def follow(self, symbols: Iterable[str]) -> None:
        """Know the last candles before anyone asks, so that they are known when MongoDB is away."""
        while True:
            for symbol in symbols:
                serving = self._store.champion(symbol)
                if serving is None:
                    continue
                try:
                    await self._newest(symbol, serving.bundle.manifest)
                except Unavailable as missing:
                    log.debug("no last candle: %s", missing)  # whoever asks for it is told
                except Exception:
                    log.exception("the last candle of %s cannot be looked for, trying again", symbol)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _newest(self, symbol: str, manifest: Manifest) -> _Known:
        """Return the last candle: looked for anew, or the one that is known while MongoDB is away."""
        place = (symbol, manifest.interval, manifest.other_symbol)
        known = self._known.get(place)
        age = math.inf if known is None else time.monotonic() - known.checked_at
        if known is not None and age <= FRESH_SECONDS:
            return known
        look = self._looks.get(place)
        if look is None or look.done():
            look = self._looks[place] = asyncio.create_task(self._look(place, manifest, known))
        if known is None or age > _seconds(manifest):
            return await asyncio.shield(look)
        if not known.away:
            await asyncio.wait({look}, timeout=PATIENCE_SECONDS)
        if not look.done():
            known.away = True
            return known
        return look.result()

    async def _look(self, place: _Place, manifest: Manifest, known: _Known | None) -> _Known:
        """Look for a newer candle, once for all requests that ask meanwhile."""
        try:
            found = self._known[place] = await asyncio.to_thread(self._read, manifest, known)
        except NoCompleteCandleError as error:
            raise Unavailable(str(error)) from error
        except PyMongoError as error:
            if known is None or time.monotonic() - known.checked_at > _seconds(manifest):
                raise Unavailable(
                    f"the last candle of {place[0]} is not known: no database answers"
                ) from error
            if not known.away:
                log.warning("no newer candle can be looked for, the one that is known is scored: %s", error)
            known.away = True
            return known
        return found

    def _read(self, manifest: Manifest, known: _Known | None) -> _Known:
        checked_at = time.monotonic()
        with pymongo.timeout(READ_SECONDS):
            newest = last_open_time(self._database, manifest.symbol, manifest.interval)
            if known is not None and newest == known.candle.open_time:
                return _Known(checked_at, known.candle, known.answers)
            return _Known(checked_at, latest_candle(self._database, manifest), {})


def _seconds(manifest: Manifest) -> float:
    """Return for how long a candle may be scored again without a look: then there is another for sure."""
    return Interval(manifest.interval).milliseconds / 1_000


def _matrix(rows: list[dict[str, float]], names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    wanted = frozenset(names)
    for index, row in enumerate(rows):
        if row.keys() != wanted:
            missing, unknown = sorted(wanted - row.keys()), sorted(row.keys() - wanted)
            raise Unprocessable(
                f"rows.{index}: features of set {FEATURE_SET.version} are wanted; "
                f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(unknown[:5]) or 'none'}"
            )
        if not all(map(math.isfinite, row.values())):
            raise Unprocessable(f"rows.{index}: every feature must be a finite number")
    with np.errstate(over="ignore"):
        matrix = np.array([[row[name] for name in names] for row in rows], dtype=np.float32)
    if not np.isfinite(matrix).all():
        raise Unprocessable("rows: a feature is too large for float32")
    return matrix


def _answer(serving: Champion, candle: LatestCandle, profile: ProfileName) -> bytes:
    decision = decide(serving.bundle, candle.row, PROFILES[profile])[0]
    times = {"open_time": candle.open_time, "close_time": candle.close_time}
    return dumps({**_identity(serving.bundle.manifest), **times, **decision.document()})


def _identity(manifest: Manifest) -> dict[str, Any]:
    return {
        "symbol": manifest.symbol,
        "interval": manifest.interval,
        "model_version": manifest.version,
        "fit": manifest.fit,
        "algorithm": manifest.algorithm,
    }
