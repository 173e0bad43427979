"""The alert rule ``model_drift``: a champion's market is no longer the one that it was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pymongo.database import Database

from cryptobot.decisions.alerts import Alert, raise_alert, resolve
from cryptobot.market.instant import to_ms
from cryptobot.settings import settings
from cryptobot.storage.database import Document

MODEL_DRIFT = "model_drift"


def judge_drift(database: Database[Document], measured: Iterable[Document]) -> list[str]:
    """Raise one alert for each symbol whose champion has drifted, and resolve those of the others.

    ``measured`` are the newest documents of ``drift``, one a symbol. A symbol that stays drifted keeps
    its one alert, whichever model serves it. Returns the symbols that have drifted.
    """
    now, enabled = datetime.now(UTC), settings().alert_rules.model_drift.enabled
    drifted = []
    for day in measured:
        symbol, version = day["symbol"], day["version"]
        state = f"{MODEL_DRIFT}|{symbol}"
        if not day["drifted"]:
            resolve(database, now, open_state=state)
            continue
        drifted.append(symbol)
        alert = Alert(
            kind=MODEL_DRIFT,
            key=f"{state}|{to_ms(now)}",
            severity="warning",
            symbol=symbol,
            title=f"The model of {symbol} has drifted",
            message=(
                f"{version}, until {day['to']:%Y-%m-%d %H:%M} UTC: {'; '.join(day['reasons'])}. "
                "A training is asked for where there are candles to learn from; see the page Models"
            ),
            at=day["to"],
            details={"version": version, "day": day["day"], "reasons": day["reasons"]},
            state=state,
        )
        if enabled:
            raise_alert(database, alert, now)
    return drifted
