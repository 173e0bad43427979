"""What the report tells its readers: names of what is checked, verdicts, and what to do next."""

from __future__ import annotations

NAMES = {
    "historical_data": "Historical candles",
    "streaming_data": "Live data",
    "features": "Features",
    "reconciliation": "Live candles against REST",
    "exchange_info": "What the exchange trades",
}
"""What readers call the collections that are checked."""

OUTCOMES = {None: "passed", "info": "notes", "warning": "warnings", "critical": "blocked"}
"""The outcome of a check, by its gravest failure."""

_VERDICTS = {
    "passed": "Everything that was expected holds.",
    "notes": "Everything that matters holds; there are notes for the eye. The data is used.",
    "warnings": "Nothing critical failed: the data is used. What is unusual about it stands below.",
    "blocked": "A critical expectation failed: nothing is built from this data until it is repaired.",
}

_REPAIRS = {
    "historical_data": [
        "Trigger historical_backfill in Airflow for the pair, the interval and the days shown here, "
        "with overwrite: it makes the range exactly what the exchange has.",
        "Then clear the task checkpoint of validated_historical_data in the run that failed: the partition "
        "goes green, and what follows is built.",
    ],
    "streaming_data": [
        "Look at make status, then at make logs SERVICE=producer and SERVICE=sink.",
        "The next check comes within five minutes; nothing needs to be cleared.",
    ],
    "features": [
        "Check that the candles of the range are validated; if not, repair those first.",
        "Then clear the task features and what follows it in the run of the DAG features that failed.",
    ],
    "reconciliation": [
        "Clear the task of the DAG reconciliation for the day: it compares again and repairs what it can.",
        "If candles differ, trigger historical_backfill for the day with overwrite, then clear again.",
    ],
    "exchange_info": [
        "A configured pair is not traded or not known: correct CRYPTOBOT_SYMBOLS, or wait for it.",
        "Then clear the failed task of the DAG exchange_info.",
    ],
}


def verdict(outcome: str) -> str:
    """Return in a sentence what an outcome means."""
    return _VERDICTS[outcome]


def next_steps(collection: str, outcome: str) -> list[str]:
    """Return what to do about an outcome, in order; nothing where nothing is to be done."""
    if outcome == "blocked":
        return _REPAIRS.get(collection, [])
    if outcome == "warnings":
        return ["The pipeline goes on by itself. Look at what failed below if you did not expect it."]
    return []
