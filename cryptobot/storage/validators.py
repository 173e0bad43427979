"""What MongoDB itself refuses, whoever writes: documents that no check should ever meet.

The candles' own is lean on purpose, because each insert pays for it: types by JSON schema, and an
expression from whose few comparisons the other bounds follow (a low above zero and a high not below it
leave no price at or below zero; a taker's share from zero to the volume leaves no negative volume).
"""

from __future__ import annotations

from typing import Any

Validator = dict[str, Any]

_STRING = {"bsonType": "string"}
_DATE = {"bsonType": "date"}
_DOUBLE = {"bsonType": "double"}
_COUNT = {"bsonType": ["int", "long"], "minimum": 0}

_CANDLE = {
    "symbol": _STRING,
    "interval": _STRING,
    "open_time": _DATE,
    "close_time": _DATE,
    "open": _DOUBLE,
    "high": _DOUBLE,
    "low": _DOUBLE,
    "close": _DOUBLE,
    "volume": _DOUBLE,
    "quote_volume": _DOUBLE,
    "trades": {"bsonType": ["int", "long"]},
    "taker_buy_base": _DOUBLE,
    "taker_buy_quote": _DOUBLE,
    "source": {"enum": ["rest", "archive"]},
    "ingested_at": _DATE,
}


def _holds(required: dict[str, Any], **optional: Any) -> Validator:
    """Return a JSON schema of the fields that must be, and of those that may be."""
    return {
        "$jsonSchema": {
            "bsonType": "object",
            "required": list(required),
            "properties": {**required, **optional},
        }
    }


HISTORICAL_DATA: Validator = {
    **_holds(_CANDLE, marks={"bsonType": "array", "items": {"enum": ["off_grid", "shortened"]}}),
    "$expr": {
        "$and": [
            {"$gt": ["$low", 0]},
            {"$gte": ["$high", "$low"]},
            {"$gte": ["$taker_buy_base", 0]},
            {"$gte": ["$volume", "$taker_buy_base"]},
            {"$gte": ["$trades", 0]},
            {"$gte": ["$close_time", "$open_time"]},
        ]
    },
}

STREAMING_DATA: Validator = _holds(
    {"kind": {"enum": ["kline", "trade", "ticker"]}, "symbol": _STRING, "received_at": _DATE}
)

STREAM_POSITIONS: Validator = _holds(
    {
        "kind": {"enum": ["trade", "kline"]},
        "symbol": _STRING,
        "exchange": _STRING,
        "position": {"bsonType": ["int", "long"]},
        "event_time": _DATE,
        "updated_at": _DATE,
    },
    interval=_STRING,
)

GAPS: Validator = {
    **_holds(
        {
            "symbol": _STRING,
            "from": _DATE,
            "to": _DATE,
            "state": {"enum": ["open", "repaired", "absent at the source"]},
        },
        interval=_STRING,
        kind=_STRING,
        found_by=_STRING,
    ),
    "$expr": {"$lt": ["$from", "$to"]},
}

QUARANTINE: Validator = _holds(
    {
        "symbol": _STRING,
        "interval": _STRING,
        "open_time": {"bsonType": ["date", "null"]},
        "reason": _STRING,
        "fields": {"bsonType": "object"},
        "source": _STRING,
        "found_at": _DATE,
        "state": {"enum": ["open", "resolved"]},
    },
    raw=_STRING,
)

CORRECTIONS: Validator = _holds(
    {
        "symbol": _STRING,
        "interval": _STRING,
        "open_time": _DATE,
        "before": {"bsonType": "object"},
        "found_at": _DATE,
        "report": _STRING,
    },
    after={"bsonType": ["object", "null"]},
)

FEATURES: Validator = _holds(
    {"symbol": _STRING, "interval": _STRING, "open_time": _DATE, "values": {"bsonType": "object"}}
)

JOB_REPORTS: Validator = _holds({"job": _STRING}, rows=_COUNT, started_at=_DATE, finished_at=_DATE)

EXCHANGE_INFO: Validator = _holds({"status": _STRING, "filters": {"bsonType": "object"}, "fetched_at": _DATE})

DRIFT: Validator = _holds(
    {
        "symbol": _STRING,
        "version": _STRING,
        "day": _DATE,
        "from": _DATE,
        "to": _DATE,
        "rows": _COUNT,
        "features": {"bsonType": "array"},
        "hits": {"bsonType": "object"},
        "drifted": {"bsonType": "bool"},
        "reasons": {"bsonType": "array", "items": _STRING},
        "measured_at": _DATE,
    },
    predictions={"bsonType": ["object", "null"]},
)

ALERTS: Validator = _holds(
    {
        "kind": _STRING,
        "severity": {"enum": ["info", "warning", "critical"]},
        "symbol": {"bsonType": ["string", "null"]},
        "title": _STRING,
        "message": _STRING,
        "created_at": _DATE,
        "acknowledged_at": {"bsonType": ["date", "null"]},
    },
    at=_DATE,
    details={"bsonType": "object"},
    resolved_at={"bsonType": ["date", "null"]},
    open_state=_STRING,
    delivered={"bsonType": "bool"},
    deliveries={
        "bsonType": "object",
        "additionalProperties": {
            "bsonType": "object",
            "required": ["state", "attempts", "at"],
            "properties": {"state": {"enum": ["pending", "sent", "failed"]}, "attempts": _COUNT, "at": _DATE},
        },
    },
)

ALERT_COOLDOWNS: Validator = _holds({"until": _DATE, "alert": _STRING})
