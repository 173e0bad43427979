"""What follows from assessed candles: signals stored once, and alerts where the rules see cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo.database import Database

from cryptobot.decisions.alerts import Alert, raise_alert, resolve
from cryptobot.decisions.live import Assessment, Withheld
from cryptobot.decisions.rules import Moment, judge
from cryptobot.market.instant import to_ms
from cryptobot.settings import Settings
from cryptobot.storage.database import Document
from cryptobot.storage.signals import keep_first

MODEL = "model"
"""Kind of the alerts that a symbol has no model in use: one while that lasts."""


class Announcer:
    """Stores the signals of assessments and raises their alerts; the same ones again change nothing."""

    def __init__(self, database: Database[Document], settings: Settings) -> None:
        self._database = database
        self._rules = settings.alert_rules
        self._profile = settings.risk_profile
        self._states: dict[str, str | None] = {}

    def announce(self, assessments: Sequence[Assessment], now: datetime) -> list[Document]:
        """Return the signals as they are stored, which may be as an earlier model gave them.

        A candle that is late raises no alert: what it would tell is past. Raises ``PyMongoError`` when
        MongoDB is away: call again with the same assessments.
        """
        given = [each.signal for each in assessments if each.signal is not None]
        stored = {signal["_id"]: signal for signal in keep_first(self._database, given)}
        for each in assessments:
            signal = stored[each.signal["_id"]] if each.signal else None
            if not each.late:
                for alert in judge(_moment(each, signal), self._rules, self._profile):
                    raise_alert(self._database, alert, now)
            self._tell_of_model(each, now)
        return list(stored.values())

    def _tell_of_model(self, assessment: Assessment, now: datetime) -> None:
        """Keep the alert of a symbol's present state open, and end those of others."""
        symbol = assessment.candle["symbol"]
        alert = model_alert(assessment) if self._rules.model.enabled else None
        state = alert.state if alert else None
        if symbol in self._states and self._states[symbol] == state:
            return
        resolve(self._database, now, kind=MODEL, symbol=symbol, open_state={"$ne": state})
        if alert is not None:
            raise_alert(self._database, alert, now)
        self._states[symbol] = state


def model_alert(assessment: Assessment) -> Alert | None:
    """Return the alert that a candle has no signal for want of a model in use."""
    if assessment.withheld not in (Withheld.NO_MODEL, Withheld.MODEL_EXPIRED):
        return None
    symbol, expired = assessment.candle["symbol"], assessment.withheld is Withheld.MODEL_EXPIRED
    state = f"{MODEL}|{assessment.withheld.value}|{symbol}"
    return Alert(
        kind=MODEL,
        key=f"{state}|{to_ms(assessment.candle['open_time'])}",
        severity="warning",
        symbol=symbol,
        title=f"{symbol}: the model has expired" if expired else f"{symbol} has no model",
        message=f"No signals are given: {assessment.why}. Look at the DAGs models and champions in Airflow.",
        at=assessment.candle["close_time"],
        details={"model_version": assessment.version},
        state=state,
    )


def _moment(assessment: Assessment, signal: Document | None) -> Moment:
    candle = assessment.candle
    return Moment(
        symbol=candle["symbol"],
        interval=candle["interval"],
        open_time=candle["open_time"],
        close_time=candle["close_time"],
        close=candle["close"],
        features=assessment.features,
        signal=signal,
        fit=bool(signal["fit"]) if signal else assessment.fit,
    )
