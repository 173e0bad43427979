"""Logs as one JSON object a line, each with the correlation id of its request."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

from api.correlation import correlation_id

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record with its ``extra`` fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if (request := correlation_id()) != "-":
            entry["correlation_id"] = request
        entry |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        plain = {name: _plain(value) for name, value in entry.items()}
        return orjson.dumps(plain, option=orjson.OPT_UTC_Z).decode()


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | datetime | None) else str(value)


LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
    },
    "root": {"handlers": ["stdout"], "level": "INFO"},
    # The envelope logs requests itself, with their correlation id.
    "loggers": {"uvicorn.access": {"level": "WARNING"}, "pymongo": {"level": "WARNING"}},
}
"""For ``logging.config.dictConfig``; uvicorn sets it up in every worker."""
