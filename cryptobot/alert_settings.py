"""The alert rules' parameters and the targets of alerts, as settings in JSON give them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""In rising order."""

Minutes = Annotated[float, Field(ge=0, le=7 * 24 * 60)]


class Rule(BaseModel):
    """What every rule has: a switch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True


class MarketRule(Rule):
    """A rule about a closed candle: how grave it is, and for how long it then says nothing more.

    The cool-down counts in the candles' own time, for each symbol and direction.
    """

    severity: Severity = "info"
    cooldown_minutes: Minutes = 60

    @property
    def cooldown(self) -> timedelta:
        """The cool-down as a duration."""
        return timedelta(minutes=self.cooldown_minutes)


class OpportunityRule(MarketRule):
    """A fit model calls a buy or a sell with at least this confidence."""

    min_confidence: float = Field(0.0, ge=0, le=1)


class VolatilityRule(MarketRule):
    """Realised volatility of the last 12 candles over that of the last 96 leaves these bounds."""

    turbulent_ratio: float = Field(2.0, gt=1)
    calm_ratio: float = Field(0.35, gt=0, lt=1)
    severity: Severity = "warning"
    cooldown_minutes: Minutes = 240


class VolumeRule(MarketRule):
    """The log of a candle's quote volume is this many deviations above the mean of the last 48."""

    deviations: float = Field(3.0, gt=0)


class PriceMoveRule(MarketRule):
    """A candle moves the price by this many realised volatilities, and by this many per cent at least."""

    deviations: float = Field(4.0, gt=0)
    least_pct: float = Field(0.5, ge=0)
    severity: Severity = "warning"


class AlertRules(BaseModel):
    """Every rule with its parameters; those that are not set have their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    opportunity: OpportunityRule = OpportunityRule()
    volatility_regime: VolatilityRule = VolatilityRule()
    unusual_volume: VolumeRule = VolumeRule()
    price_move: PriceMoveRule = PriceMoveRule()
    stale_data: Rule = Rule()
    quality_failure: Rule = Rule()
    live_feed: Rule = Rule()
    model: Rule = Rule()
    model_drift: Rule = Rule()
    model_refused: Rule = Rule()
    promotion: Rule = Rule()
    pipeline: Rule = Rule()


TargetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
"""What a target is called in logs and documents, where its address never appears."""


class Target(BaseModel):
    """Where alerts are sent: an address as apprise takes them, alone or with the least severity."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    min_severity: Severity = "info"

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value


def parsed(name: str, value: object) -> object:
    """Return what the JSON text of a setting holds; another value as it is.

    Raises ``ValueError``, which does not repeat the text: it may hold a secret.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except json.JSONDecodeError as fault:
        raise ValueError(
            f"{name} is not JSON ({fault.msg} at character {fault.pos + 1}); "
            f"write an object in double quotes, see .env.example"
        ) from None
