"""The alert rules of the market: what of a closed candle people are told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from cryptobot.alert_settings import (
    AlertRules,
    MarketRule,
    OpportunityRule,
    PriceMoveRule,
    VolatilityRule,
    VolumeRule,
)
from cryptobot.decisions.alerts import Alert
from cryptobot.learning.labels import Barriers
from cryptobot.learning.risk import PROFILES, STOP_RANGES, ProfileName, expected
from cryptobot.market.instant import to_ms
from cryptobot.storage.database import Document

ACTIONS = frozenset({"buy", "sell"})


@dataclass(frozen=True)
class Moment:
    """A closed candle as the rules see it.

    Attributes
    ----------
    features
        Of this candle, by name; a value that is not known is ``None``, NaN or absent.
    signal
        The document of ``signals``, if the model has one for the candle.
    fit
        Whether the model passed its gate: no opportunity is claimed otherwise.
    """

    symbol: str
    interval: str
    open_time: datetime
    close_time: datetime
    close: float
    features: Mapping[str, float | None]
    signal: Document | None
    fit: bool

    def feature(self, name: str) -> float | None:
        """Return a feature's value, ``None`` where it is not known."""
        value = self.features.get(name)
        return None if value is None or not math.isfinite(value) else float(value)


@dataclass(frozen=True, slots=True)
class _Finding:
    title: str
    message: str
    direction: str
    details: dict[str, Any]


def judge(moment: Moment, rules: AlertRules, profile: ProfileName = "balanced") -> list[Alert]:
    """Return the alerts that the candle gives cause for: at most one of each rule.

    ``profile`` is the one whose signals are opportunities (setting ``risk_profile``). The same candle
    gives the same keys whenever it is judged, so that ``raise_alert`` tells of it once.
    """
    judged: list[tuple[str, MarketRule, _Finding | None]] = [
        ("opportunity", rules.opportunity, _opportunity(moment, rules.opportunity, profile)),
        ("volatility_regime", rules.volatility_regime, _volatility_regime(moment, rules.volatility_regime)),
        ("unusual_volume", rules.unusual_volume, _unusual_volume(moment, rules.unusual_volume)),
        ("price_move", rules.price_move, _price_move(moment, rules.price_move)),
    ]
    return [
        _alert(kind, moment, rule, found)
        for kind, rule, found in judged
        if rule.enabled and found is not None
    ]


def _opportunity(moment: Moment, rule: OpportunityRule, profile: ProfileName) -> _Finding | None:
    """A fit model calls a buy or a sell under the profile."""
    if moment.signal is None or not moment.fit:
        return None
    called = _called(moment.signal)
    action = called.get(profile)
    if action not in ACTIONS:
        return None
    confidence = float(moment.signal["probabilities"][action])
    if confidence < rule.min_confidence:
        return None
    agreeing = sorted(name for name, other in called.items() if other == action)
    size = _size(moment, moment.signal["probabilities"], profile) if action == "buy" else None
    stop = _stop(moment, action)
    sized = "" if size is None else f" To {profile} investors it is worth {size:.0%} of the capital."
    stopped = "" if stop is None else f" It has proven wrong at {stop:,.6g}."
    return _Finding(
        f"{moment.symbol}: {action} opportunity",
        f"The model calls a {action} with a probability of {confidence:.0%} under the risk "
        f"profile{'s' if len(agreeing) > 1 else ''} {', '.join(agreeing)}.{sized}{stopped}",
        action,
        {
            "profiles": agreeing,
            "confidence": confidence,
            "model_version": moment.signal["model_version"],
            "volatility": moment.feature("realised_96"),
            "size": size,
            "stop": stop,
        },
    )


def _size(moment: Moment, probabilities: Mapping[str, float], profile: ProfileName) -> float | None:
    """Return the share of the capital that the profile puts on a buy; a sell puts nothing on anything."""
    barriers = Barriers()
    volatility = moment.feature(f"realised_{barriers.volatility_span}")
    if not volatility:
        return None
    variance = np.array(barriers.horizon * volatility**2)
    edge = expected(barriers.width, variance, np.array(probabilities["buy"] - probabilities["sell"]))
    return float(PROFILES[profile].size(edge, variance))


def _stop(moment: Moment, action: str) -> float | None:
    """Return the price at which the signal has proven wrong."""
    true_range = moment.feature("true_range_14")
    if not true_range:
        return None
    away = STOP_RANGES * true_range
    return moment.close * (1 - away if action == "buy" else 1 + away)


def _called(signal: Document) -> dict[str, str]:
    """Return what each risk profile calls the candle; a signal without profiles is a balanced one."""
    return dict(signal.get("profiles") or {"balanced": signal["signal"]})


def _volatility_regime(moment: Moment, rule: VolatilityRule) -> _Finding | None:
    """The last candles are much more, or much less, volatile than the day before was."""
    logarithm = moment.feature("realised_ratio_12_96")
    if logarithm is None:
        return None
    ratio = math.exp(logarithm)
    if rule.calm_ratio < ratio < rule.turbulent_ratio:
        return None
    regime = "turbulent" if ratio >= rule.turbulent_ratio else "calm"
    return _Finding(
        f"{moment.symbol}: the market turns {regime}",
        f"The volatility of the last 12 candles is {ratio:.2g} times that of the last 96.",
        regime,
        {"ratio": ratio, "volatility": moment.feature("realised_96")},
    )


def _unusual_volume(moment: Moment, rule: VolumeRule) -> _Finding | None:
    """Much more is traded than usual."""
    deviations = moment.feature("volume_z_48")
    if deviations is None or deviations < rule.deviations:
        return None
    return _Finding(
        f"{moment.symbol}: unusual volume",
        f"The volume is {deviations:.1f} deviations above that of the last 48 candles (logarithms).",
        "high",
        {"deviations": deviations},
    )


def _price_move(moment: Moment, rule: PriceMoveRule) -> _Finding | None:
    """A candle moves the price by far more than candles do."""
    move, usual = moment.feature("return_1"), moment.feature("realised_96")
    if move is None or not usual:
        return None
    percent, deviations = 100 * math.expm1(move), abs(move) / usual
    if abs(percent) < rule.least_pct or deviations < rule.deviations:
        return None
    direction = "up" if move > 0 else "down"
    return _Finding(
        f"{moment.symbol}: price {direction} {abs(percent):.2f} % in one candle",
        f"The price moved by {percent:+.2f} %, {deviations:.1f} times the usual volatility of a candle.",
        direction,
        {"percent": percent, "deviations": deviations},
    )


def _alert(kind: str, moment: Moment, rule: MarketRule, found: _Finding) -> Alert:
    return Alert(
        kind=kind,
        key=f"{kind}|{moment.symbol}|{moment.interval}|{to_ms(moment.open_time)}",
        severity=rule.severity,
        symbol=moment.symbol,
        title=found.title,
        message=f"{found.message} The {moment.interval} candle closed at {moment.close:,.8g}.",
        at=moment.close_time,
        cooldown=rule.cooldown,
        details={
            "interval": moment.interval,
            "open_time": moment.open_time,
            "close": moment.close,
            "direction": found.direction,
            **found.details,
        },
    )
