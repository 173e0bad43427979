"""Models and their drift for the tests of the dashboard."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.storage import backtests, drift
from cryptobot.storage import collections as names

Document = dict[str, Any]

FEATURES = (
    "realised_96", "realised_12", "atr_14_pct", "parkinson_24", "garman_klass_24", "bollinger_width_20",
    "volume_z_48", "taker_share_12", "amihud_24", "return_1", "return_24", "rsi_14",
)  # fmt: skip


def metrics(sharpe: float = 0.84, gain: float = 0.012) -> Document:
    """Return what a manifest tells of a model out of sample."""
    strategy = {
        "return": 0.042 * sharpe, "sharpe": sharpe, "sortino": 1.3 * sharpe, "max_drawdown": -0.083,
        "turnover": 210.0, "exposure": 0.31, "trades": 132, "hit_rate": 0.53,
    }  # fmt: skip
    return {
        "log_loss": 1.0986 * (1 - gain),
        "log_loss_baseline": 1.0986,
        "auc_direction": 0.531,
        "deflated_sharpe": 0.971,
        "calibration_error": 0.012,
        "backtest": {"strategy": strategy, "buy_and_hold": {**strategy, "return": -0.021, "sharpe": -0.2}},
    }


def add_backtest(database: Database[Document], symbol: str, version: str, now: datetime) -> None:
    """Add the record of a model's backtest, of half a year."""
    backtests.save(
        database,
        {
            "_id": version,
            "symbol": symbol,
            "interval": "15m",
            "algorithm": "xgboost",
            "created_at": now,
            "window": {"start": now - timedelta(days=365), "end": now},
            "fit": symbol == "BTCUSDT",
            "reasons": [
                "passed: log loss 1.0854 against 1.0986 of the base rates: +1.20%, wanted +0.20%",
                "passed: better than the base rates on 4 of 4 folds",
                "passed: tells buys from sells with AUC 0.531, wanted 0.518",
                "passed: 132 trades, wanted 30",
                f"{'passed' if symbol == 'BTCUSDT' else 'failed'}: earned +3.5% net of costs at a Sharpe "
                "ratio of 0.84, best baseline buy_and_hold -0.20",
            ],
            "metrics": metrics(),
            "curves": {
                "open_time": [now - timedelta(hours=9 * (500 - n)) for n in range(500)],
                "strategy": [1 + 0.00007 * n + 0.012 * math.sin(n / 31) for n in range(500)],
                "buy_and_hold": [1 - 0.00004 * n + 0.05 * math.sin(n / 47) for n in range(500)],
            },
        },
    )


def add_challengers(database: Database[Document], symbol: str, now: datetime) -> None:
    """Add three models that did not become champion: one not decided on, one refused, one replaced."""
    states = ("challenger", "superseded", "quarantined")
    for age, state in enumerate(states):
        version = f"{symbol}-2026112{age}T000000Z-{age}{age}{age}{age}{age}{age}{age}{age}"
        at = now - timedelta(days=age)
        database[names.MODELS].insert_one(
            {
                "_id": version,
                "version": version,
                "symbol": symbol,
                "interval": "15m",
                "algorithm": ("mean", "random_forest", "xgboost")[age],
                "metrics": metrics(0.4 - age, 0.004 - 0.003 * age),
                "window": {"start": at - timedelta(days=365), "end": at},
                "feature_set": {"version": "1"},
                "fit": age == 0,
                "state": state,
                "created_at": at,
                **({"quarantine_reason": "its signature does not hold"} if state == "quarantined" else {}),
                **(
                    {"verdict": {"promoted": False, "reason": "not better by 0.001: skill +0.0040", "at": at}}
                    if state == "superseded"
                    else {}
                ),
            }
        )


def add_drift(database: Database[Document], symbol: str, version: str, now: datetime, drifted: bool) -> None:
    """Add 30 days of drift, the last of which have ``drifted`` or not."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    drift.save(database, [_day(symbol, version, today, age, drifted) for age in range(30)])


def _day(symbol: str, version: str, today: datetime, age: int, drifted: bool) -> Document:
    day, gone = today - timedelta(days=age), drifted and age < 5
    share = min(1.0, 0.06 + 0.05 * math.sin(age * 1.3) + (0.12 * (5 - age) if gone else 0.0))
    return {
        "_id": drift.drift_id(symbol, version, day),
        "symbol": symbol,
        "version": version,
        "interval": "15m",
        "day": day,
        "from": day - timedelta(days=6),
        "to": day + timedelta(days=1),
        "rows": 672,
        "in_sample": age > 12,
        "features": [
            {"name": name, "index": (0.9 if gone else 0.35) / (1 + place / 3), "limit": 0.25 + 0.02 * place}
            for place, name in enumerate(FEATURES)
        ],
        "features_share": share,
        "features_share_limit": 0.28,
        "predictions": {
            "rows": 672,
            "classes": {
                name: {"index": 0.41 if gone and name == "buy" else 0.08, "limit": 0.31}
                for name in ("sell", "hold", "buy")
            },
        },
        "hits": {
            "buy": {
                "signals": 84, "hits": 26 if gone else 39, "rate": 0.31 if gone else 0.46,
                "expected": 0.45, "lowest": 0.33, "fallen": gone,
            },
            "sell": {
                "signals": 0, "hits": 0, "rate": None, "expected": None, "lowest": None, "fallen": False,
            },
        },
        "drifted": gone,
        "reasons": [
            "65% of the features are distributed unlike in the training (up to 28% is usual), most of all "
            "realised_96, realised_12, atr_14_pct",
            "of 84 buy signals 31% turned out so, out of sample it was 45%",
        ]
        if gone
        else [],
        "measured_at": today,
    }  # fmt: skip
