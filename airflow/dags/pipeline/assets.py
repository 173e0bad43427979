"""The assets of the pipeline, in the order in which each is made from the one before.

An asset's URI names the collection; the host in it stands for "the product's MongoDB",
wherever the connection ``mongo_default`` says that is.
"""

from __future__ import annotations

from airflow.sdk import Asset

_DATABASE = "mongodb://mongo:27017/cryptobot"


def _collection(name: str, group: str, collection: str | None = None) -> Asset:
    return Asset(name, uri=f"{_DATABASE}/{collection or name}", group=group)


EXCHANGE_INFO = _collection("exchange_info", "market")
HISTORICAL_DATA = _collection("historical_data", "market")
VALIDATED_HISTORICAL_DATA = _collection(
    "validated_historical_data", "market", "quality_results.historical_data"
)
STREAMING_DATA = _collection("streaming_data", "live")
VALIDATED_STREAMING_DATA = _collection("validated_streaming_data", "live", "quality_results.streaming_data")
LIVE_GAPS = _collection("live_gaps", "live", "gaps")
RECONCILIATION = _collection("reconciliation", "market", "reconciliations")
QUALITY_REPORT = _collection("quality_report", "quality", "quality_results")
FEATURES = _collection("features", "learning")
MODELS = _collection("models", "learning")
BACKTESTS = _collection("backtests", "learning")
CHAMPIONS = _collection("champions", "serving")
DEPLOYMENT = _collection("deployment", "serving", "service_health.api")
SIGNALS = _collection("signals", "serving")
DRIFT = _collection("drift", "learning")
DRIFT_DETECTED = _collection("drift_detected", "learning", "drift.drifted")
MODELS_AGED = _collection("models_aged", "learning", "champions.aged")

ALL = (
    EXCHANGE_INFO,
    HISTORICAL_DATA,
    VALIDATED_HISTORICAL_DATA,
    STREAMING_DATA,
    VALIDATED_STREAMING_DATA,
    LIVE_GAPS,
    RECONCILIATION,
    QUALITY_REPORT,
    FEATURES,
    MODELS,
    BACKTESTS,
    CHAMPIONS,
    DEPLOYMENT,
    SIGNALS,
    DRIFT,
)
"""Every asset that is made again and again: what the freshness check watches.

`DRIFT_DETECTED` and `MODELS_AGED` are not among them: that they are not made is the good case."""
