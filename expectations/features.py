"""What features must be: one document a candle, of the current version, bounded, and known at the close."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation
from pymongo.database import Database

from cryptobot.features import FEATURE_SET, Feature, reach_ms
from cryptobot.market.instant import EPOCH, MILLISECOND, from_ms
from cryptobot.market.span import Span, pieces
from cryptobot.settings import Settings
from cryptobot.storage import candles
from cryptobot.storage.collections import FEATURES, HISTORICAL_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.quality_inputs import bounds, feature_documents
from expectations import terms
from expectations.baseline import LEAST, REACH
from expectations.frames import naive
from expectations.look_ahead import look_ahead
from expectations.terms import COMPLETENESS, HISTORY, WARNING
from expectations.validation import Asset

PART_ROWS = 50_000
"""Candles whose features are checked at a time: bounds memory."""

NULL_SHARE = 0.05
"""Share of values after the warm-up that may be unknown: windows that reach across a gap."""

VALUES = "Values"

_RANGES: tuple[tuple[str, float | None, float | None], ...] = (
    (r"relative_strength|aroon|balance_of_power|efficiency|money_flow|pair_correlation", -1, 1),
    (r"(hour|week)_(sin|cos)", -1, 1),
    (r"channel_position|ultimate_oscillator", 0, 1),
    (r"taker_buy_share", -0.5, 0.5),
    (r"realised_\d+$|true_range|parkinson|garman_klass|bollinger_width", 0, None),
)
_ROUNDING = 1e-9
_OF_THE_CALENDAR = re.compile(r"(hour|week)_(sin|cos)")


def assets(settings: Settings, database: Database[Document], spans: Sequence[Span]) -> Iterator[Asset]:
    """Yield the features of ``spans``, in parts of bounded size, one in memory at a time."""
    for span in spans:
        for number, part in enumerate(_parts(database, span)):
            yield _asset(settings, database, part, f"-part{number + 1}" if number else "")


def bounds_of(feature: Feature) -> tuple[float | None, float | None] | None:
    """Return between which values a feature lies by its formula; None where it has no bounds."""
    for pattern, low, high in _RANGES:
        if re.match(pattern, feature.name):
            return low, high
    return None


def feature_frame(documents: Iterator[Document]) -> pd.DataFrame:
    """Return documents of ``features`` as a frame: keys, and a float64 column a feature."""
    names = FEATURE_SET.names
    keys, rows = [], []
    for document in documents:
        keys.append([document[name] for name in ("_id", "symbol", "interval", "open_time", "version")])
        values = document["values"]
        rows.append(np.array([values.get(name) for name in names], dtype=np.float64))
    frame = pd.DataFrame(keys, columns=["_id", "symbol", "interval", "open_time", "version"])
    frame["open_time"] = naive(frame["open_time"])
    matrix = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    return pd.concat([frame, pd.DataFrame(matrix, columns=list(names))], axis=1)


def features_suite(
    name: str, span: Span, candle_count: int, warm_rows: int, history: pd.DataFrame | None
) -> ExpectationSuite:
    """Return what the features of ``span`` must be.

    Parameters
    ----------
    candle_count
        Candles that ``historical_data`` holds there.
    warm_rows
        How many of the rows have their whole warm-up before them.
    history
        Features of the weeks before; None where there are too few.
    """
    expectations = [
        terms.rows_between(f"Each candle has its features: {candle_count:,}", candle_count, candle_count),
        terms.unique("_id", "Keys are unique"),
        terms.unique("open_time", "One document a candle"),
        terms.among("symbol", [span.symbol], f"The symbol is {span.symbol}"),
        terms.among("interval", [span.interval.value], f"The interval is {span.interval}"),
        terms.among("version", [FEATURE_SET.version], f"The feature set is {FEATURE_SET.version}"),
        terms.absent("infinite", "No value is infinite", group=VALUES, severity=terms.CRITICAL),
        terms.absent(
            "look_ahead",
            "Features of a sample, computed anew from candles up to their own, are the same",
            group="Look-ahead",
            severity=terms.CRITICAL,
        ),
        *(_bounded(feature) for feature in FEATURE_SET.features if bounds_of(feature) is not None),
    ]
    if warm_rows > 0:
        expectations += [_known(feature.name) for feature in FEATURE_SET.features]
    if history is not None:
        expectations += _drift(history)
    return terms.suite_of(name, expectations)


def _asset(settings: Settings, database: Database[Document], span: Span, suffix: str) -> Asset:
    frame = feature_frame(feature_documents(database, span, FEATURE_SET.version))
    values = frame[list(FEATURE_SET.names)].to_numpy()
    infinite = np.isinf(values)
    names = np.array(FEATURE_SET.names)
    warm = _warm_rows(database, span, frame)
    history = _history(database, span)
    checked = frame.assign(
        infinite=pd.Series([", ".join(names[row]) or None for row in infinite], dtype="object"),
        look_ahead=look_ahead(database, span, frame, settings.symbols),
        **{f"{name} after warm-up": frame[name].where(warm, 0.0) for name in FEATURE_SET.names},
    )
    skipped = {}
    if history is None:
        skipped["Drift against the four weeks before"] = f"fewer than {LEAST} candles of them have features"
    if not warm.any():
        skipped["Share of unknown values"] = (
            f"no candle has the {FEATURE_SET.warm_up} before it that features read"
        )
    name = f"{span.symbol}-{span.interval}{suffix}"
    count = candles.count(database, span)
    return Asset(
        name=name,
        title=f"{span.symbol}, features of {span.interval} candles",
        frame=checked,
        rows=len(frame),
        suite=features_suite(f"{FEATURES}-{name}", span, count, int(warm.sum()), history),
        start=span.start,
        end=span.end,
        skipped=skipped,
    )


def _bounded(feature: Feature) -> Expectation:
    bounds = bounds_of(feature)
    low, high = bounds if bounds is not None else (None, None)
    text = f"from {low:g} to {high:g}" if low is not None and high is not None else f"at least {low:g}"
    return terms.between(
        feature.name,
        f"{feature.name} is {text}",
        group=VALUES,
        min_value=None if low is None else low - _ROUNDING,
        max_value=None if high is None else high + _ROUNDING,
    )


def _known(name: str) -> Expectation:
    return terms.expect(
        gxe.ExpectColumnValuesToNotBeNull,
        f"{name} is known of at least {1 - NULL_SHARE:.0%} of candles after the warm-up",
        group=COMPLETENESS,
        severity=WARNING,
        column=f"{name} after warm-up",
        mostly=1 - NULL_SHARE,
    )


def _drift(history: pd.DataFrame) -> Iterator[Expectation]:
    for name in FEATURE_SET.names:
        values = history[name].dropna().to_numpy()
        if len(values) < LEAST or _OF_THE_CALENDAR.match(name):
            continue
        low, high = (float(bound) for bound in np.quantile(values, (0.01, 0.99)))
        room = high - low
        yield terms.expect(
            gxe.ExpectColumnMedianToBeBetween,
            f"The middle {name} is like that of the four weeks before: {low - room:.4g} to {high + room:.4g}",
            group=HISTORY,
            severity=WARNING,
            column=name,
            min_value=low - room,
            max_value=high + room,
        )


def _history(database: Database[Document], span: Span) -> pd.DataFrame | None:
    if span.start <= EPOCH + REACH:
        return None
    reach = min(REACH, timedelta(milliseconds=PART_ROWS * span.interval.milliseconds))
    before = replace(span, start=span.start - reach, end=span.start)
    frame = feature_frame(feature_documents(database, before, FEATURE_SET.version))
    return frame if len(frame) >= LEAST else None


def _warm_rows(database: Database[Document], span: Span, frame: pd.DataFrame) -> pd.Series:
    """Tell of each row whether the candles before it are as many as features read."""
    reach = reach_ms(span.interval)
    before = 0
    if span.start_ms > reach:
        before = candles.count(database, replace(span, start=from_ms(span.start_ms - reach), end=span.start))
    return pd.Series(np.arange(len(frame)) + before >= FEATURE_SET.warm_up)


def _parts(database: Database[Document], span: Span) -> Iterator[Span]:
    """Yield ``span``, narrowed to what has features or candles, in parts of bounded size."""
    held = [found for name in (FEATURES, HISTORICAL_DATA) if (found := bounds(database, name, span))]
    if not held:
        yield span
        return
    start = min(first for first, _ in held) if span.start <= EPOCH else span.start
    end = min(span.end, max(last for _, last in held) + MILLISECOND)
    yield from pieces(replace(span, start=start, end=end), PART_ROWS)
