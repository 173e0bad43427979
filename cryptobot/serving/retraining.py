"""When models are trained anew: because of new candles, drift, or age; never on what was learned already.

A training is deterministic, so that one on the same candles would make the same models again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.market.interval import Interval
from cryptobot.serving import registry
from cryptobot.storage import backtests
from cryptobot.storage.database import Document
from cryptobot.storage.features import known_until

AGED = 0.5
"""A champion has aged when so much of its time of use has passed: there is time left to replace it."""


def learned_until(database: Database[Document], symbols: Iterable[str]) -> datetime | None:
    """Return up to when the newest model of any of ``symbols`` knows the market; None without any.

    A pair that could not be trained then is tried with the next training, and is no cause of one:
    else its lack would be a cause again after each.
    """
    newest = [backtests.newest(database, symbol, limit=1) for symbol in symbols]
    return max((found[0]["created_at"] for found in newest if found), default=None)


def reason_to_train(
    made_from: datetime | None,
    asked: Sequence[str],
    known: datetime | None,
    learned: datetime | None,
    every: timedelta,
) -> tuple[bool, str]:
    """Return whether models are to be trained, and why or why not.

    Parameters
    ----------
    made_from
        The first candle of which features were made; None where no features started the run. A run that
        neither features nor ``asked`` started was triggered by hand, and trains.
    asked
        Why else a training was asked for: drift or age, in words.
    known
        Until when there are features; None without any.
    learned
        Until when the newest model learned.
    every
        New candles are reason enough once they reach into the last day of so many.
    """
    if known is None:
        return False, "there are no features to train on; run the features job first"
    if learned is None:
        return True, "no pair has a model yet"
    if made_from is None and not asked:
        return True, "it was asked for by hand"
    if made_from is not None and made_from < learned:
        return True, f"candles of before {learned:%Y-%m-%d %H:%M}, which models knew, were made again"
    if known <= learned:
        because = f", although {'; '.join(asked)}" if asked else ""
        return False, f"models know all candles until {learned:%Y-%m-%d %H:%M}{because}"
    if asked:
        return True, "; ".join(asked)
    if known - learned > every - timedelta(days=1):
        return True, f"candles from {learned:%Y-%m-%d %H:%M} until {known:%Y-%m-%d %H:%M} are new"
    return False, (
        f"candles since {learned:%Y-%m-%d %H:%M} do not reach into day {every.days} yet "
        "(CRYPTOBOT_RETRAIN_AFTER_DAYS), and no model has drifted or aged"
    )


def aged_champions(
    database: Database[Document], symbols: Iterable[str], interval: Interval, max_age: timedelta
) -> dict[str, str]:
    """Return, in words, which champions have served for half of their time (:data:`AGED`), by symbol.

    Age counts in the candles' own time: from the newest that the model learned from to the newest
    that has features.
    """
    aged = {}
    for symbol in symbols:
        pointer = registry.champion(database, symbol)
        known = known_until(database, [symbol], interval, FEATURE_SET.version)
        if pointer is None or known is None:
            continue
        trained_until = registry.model(database, pointer["version"])["window"]["end"]
        age = known - trained_until
        if age >= AGED * max_age:
            aged[symbol] = (
                f"{pointer['version']} was trained on candles until {trained_until:%Y-%m-%d}, {age.days} d "
                f"ago; it serves for {max_age.days} d at most (CRYPTOBOT_MODEL_MAX_AGE_DAYS)"
            )
    return aged
