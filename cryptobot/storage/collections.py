"""The collections of the database: names, indexes, retention, and what each must hold."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

from cryptobot.storage import validators

HISTORICAL_DATA = "historical_data"
STREAMING_DATA = "streaming_data"
STREAM_POSITIONS = "stream_positions"
GAPS = "gaps"
QUARANTINE = "quarantine"
CORRECTIONS = "corrections"
RECONCILIATIONS = "reconciliations"
FRESHNESS = "freshness"
EXCHANGE_INFO = "exchange_info"
FEATURES = "features"
MODELS = "models"
CHAMPIONS = "champions"
BACKTESTS = "backtests"
DRIFT = "drift"
SIGNALS = "signals"
ALERTS = "alerts"
ALERT_COOLDOWNS = "alert_cooldowns"
OUTBOX_POSITIONS = "outbox_positions"
QUALITY_RESULTS = "quality_results"
SERVICE_HEALTH = "service_health"
JOB_REPORTS = "job_reports"
USERS = "users"
REFRESH_TOKENS = "refresh_tokens"
LOGIN_ATTEMPTS = "login_attempts"

TRADE_RETENTION_SECONDS = 3 * 86_400

_CANDLE_RANGE = IndexModel(
    [("symbol", ASCENDING), ("interval", ASCENDING), ("open_time", ASCENDING)],
    name="symbol_interval_open_time",
)

INDEXES: dict[str, list[IndexModel]] = {
    HISTORICAL_DATA: [_CANDLE_RANGE],
    STREAMING_DATA: [
        IndexModel(
            [("kind", ASCENDING), ("symbol", ASCENDING), ("interval", ASCENDING), ("open_time", ASCENDING)],
            name="kind_symbol_interval_open_time",
            partialFilterExpression={"kind": "kline"},
        ),
        IndexModel(
            [("kind", ASCENDING), ("symbol", ASCENDING), ("trade_id", ASCENDING)],
            name="kind_symbol_trade_id",
            partialFilterExpression={"kind": "trade"},
        ),
        IndexModel(
            [("kind", ASCENDING), ("received_at", ASCENDING)],
            name="kind_received_at",
            partialFilterExpression={"kind": "kline"},
        ),
        IndexModel(
            [("received_at", ASCENDING)],
            name="trades_expire",
            expireAfterSeconds=TRADE_RETENTION_SECONDS,
            partialFilterExpression={"kind": "trade"},
        ),
    ],
    QUARANTINE: [_CANDLE_RANGE],
    CORRECTIONS: [_CANDLE_RANGE],
    FEATURES: [_CANDLE_RANGE],
    GAPS: [IndexModel([("state", ASCENDING), ("symbol", ASCENDING), ("from", ASCENDING)], name="state")],
    MODELS: [IndexModel([("symbol", ASCENDING), ("created_at", DESCENDING)], name="symbol_created_at")],
    BACKTESTS: [IndexModel([("symbol", ASCENDING), ("created_at", DESCENDING)], name="symbol_created_at")],
    DRIFT: [IndexModel([("version", ASCENDING), ("day", DESCENDING)], name="version_day")],
    SIGNALS: [IndexModel([("symbol", ASCENDING), ("open_time", DESCENDING)], name="symbol_open_time")],
    ALERTS: [
        IndexModel([("created_at", DESCENDING)], name="created_at"),
        IndexModel(
            [("kind", ASCENDING), ("symbol", ASCENDING), ("created_at", DESCENDING)],
            name="kind_symbol_created_at",
        ),
        IndexModel(
            [("created_at", ASCENDING)],
            name="undelivered",
            partialFilterExpression={"delivered": False},
        ),
        IndexModel(
            [("open_state", ASCENDING)],
            name="one_open_alert_of_a_state",
            unique=True,
            partialFilterExpression={"open_state": {"$exists": True}},
        ),
    ],
    QUALITY_RESULTS: [IndexModel([("finished_at", DESCENDING)], name="finished_at")],
    JOB_REPORTS: [IndexModel([("finished_at", DESCENDING)], name="finished_at")],
    REFRESH_TOKENS: [
        IndexModel([("expires_at", ASCENDING)], name="expire", expireAfterSeconds=0),
        IndexModel([("family", ASCENDING)], name="family"),
    ],
    LOGIN_ATTEMPTS: [IndexModel([("expires_at", ASCENDING)], name="expire", expireAfterSeconds=0)],
}

VALIDATORS: dict[str, validators.Validator] = {
    HISTORICAL_DATA: validators.HISTORICAL_DATA,
    STREAMING_DATA: validators.STREAMING_DATA,
    STREAM_POSITIONS: validators.STREAM_POSITIONS,
    GAPS: validators.GAPS,
    QUARANTINE: validators.QUARANTINE,
    CORRECTIONS: validators.CORRECTIONS,
    FEATURES: validators.FEATURES,
    JOB_REPORTS: validators.JOB_REPORTS,
    EXCHANGE_INFO: validators.EXCHANGE_INFO,
    DRIFT: validators.DRIFT,
    ALERTS: validators.ALERTS,
    ALERT_COOLDOWNS: validators.ALERT_COOLDOWNS,
}

_EXISTS = 48

STRICT = frozenset({HISTORICAL_DATA, QUARANTINE, CORRECTIONS})
"""Collections in which documents of before their validator are held to it too, once they are written to."""


def ensure_collections(database: Database[dict[str, Any]]) -> None:
    """Create what is missing of the collections, their validators and indexes; idempotent."""
    for name in {*INDEXES, *VALIDATORS}:
        _create(database, name)
        if name in VALIDATORS:
            level = "strict" if name in STRICT else "moderate"
            database.command("collMod", name, validator=VALIDATORS[name], validationLevel=level)
        if name in INDEXES:
            database[name].create_indexes(INDEXES[name])


def _create(database: Database[dict[str, Any]], name: str) -> None:
    """Create a collection unless it exists, or another process creates it at the same moment."""
    try:
        database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != _EXISTS:
            raise
