"""The product's settings: one typed object, read from ``CRYPTOBOT_*`` and ``.env``."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cryptobot.alert_settings import AlertRules, Target, TargetName, parsed

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET = "development-only-and-not-a-secret"  # noqa: S105 - refused outside development

BINANCE_REST = "https://data-api.binance.vision"
BINANCE_STREAM = "wss://data-stream.binance.vision"
BINANCE_ARCHIVE = "https://data.binance.vision"

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
Days = Annotated[int, Field(ge=2)] | Literal["forever"]
"""For how many days something is kept: at least until the day before is looked back on."""


class Settings(BaseSettings):
    """Everything that differs between one installation of CryptoBot and another.

    Addresses default to loopback and each service's usual port. Secrets default to a
    value that is accepted only where ``environment`` is ``development``.
    """

    model_config = SettingsConfigDict(
        env_prefix="CRYPTOBOT_",
        env_file=os.environ.get("CRYPTOBOT_ENV_FILE", ROOT / ".env"),
        extra="ignore",
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    environment: Literal["development", "production"] = "development"

    exchange: Literal["offline", "binance"] = Field(
        default="offline", validation_alias=AliasChoices("CRYPTOBOT_EXCHANGE", "EXCHANGE")
    )
    exchange_port: int = 8090
    rest_url: str = ""
    stream_url: str = ""
    archive_url: str = ""
    stream_silence_seconds: float = Field(default=10.0, gt=0)
    """A stream connection without any event for so long is opened anew."""

    mongo_uri: SecretStr = SecretStr("mongodb://127.0.0.1:27017/?replicaSet=rs0")
    mongo_database: str = "cryptobot"
    kafka_bootstrap: str = "127.0.0.1:9092"
    metrics_port: int = Field(default=0, ge=0, lt=2**16)
    """Where this stream service serves its metrics to Prometheus, on loopback; 0: nowhere."""

    spark_driver_host: str = "127.0.0.1"
    """Where the executors of a cluster reach the jobs' drivers: this machine's address in its network."""
    spark_driver_memory: str = "1g"
    spark_executor_memory: str = "1g"

    symbols: CommaSeparated = ("BTCUSDT", "ETHUSDT")
    intervals: CommaSeparated = ("1m", "15m", "1h", "1d")
    signal_interval: str = "15m"
    retrain_after_days: int = Field(default=1, ge=1)
    """New candles over so many days start a training; drift and age start one before."""
    model_max_age_days: int = Field(default=30, ge=1)
    """A model gives no live signal for candles later than this after those it was trained on."""
    bundle_load_seconds: int = Field(default=10, ge=1)
    """Processor time that a model may take to be loaded and to score its golden rows."""
    promotion: Literal["automatic", "approval"] = "automatic"
    """Whether a challenger that passes the gate serves at once, or when a person has approved it."""
    approval_hours: int = Field(default=24, ge=1)
    """For so long an approval is waited for; what nobody approves is not promoted."""
    history_days: int | Literal["all"] = 365
    history_days_1m: int | Literal["all"] = 14

    retention_live_candles: Days = 30
    retention_history_1m: Days = "forever"
    retention_job_reports: Days = 90
    retention_quality_results: Days = 90
    retention_gaps: Days = 365
    """Repaired holes; those that are open or absent at the source are always kept."""
    retention_quarantine: Days = 365
    """Resolved entries; open ones are always kept."""
    retention_corrections: Days = 365
    retention_reconciliations: Days = 365
    retention_drift: Days = 365
    retention_alerts: Days = 90
    """Counted from the acknowledgement or resolution; alerts of candles from when they were raised."""
    retention_service_health: Days = 7
    retention_task_logs: Days = 30
    retention_models: int = Field(default=10, ge=2)
    """Versions of each symbol whose bundles are kept, besides the champion and the one before it."""

    risk_profile: Literal["conservative", "balanced", "aggressive"] = "balanced"
    """Whose signals raise opportunities."""
    alert_rules: Annotated[AlertRules, NoDecode] = AlertRules()
    alert_targets: Annotated[dict[TargetName, Target], NoDecode] = {}
    """Where alerts are sent, by name; the addresses are secrets."""

    api_host: str = "127.0.0.1"
    api_port: int = 8000
    api_workers: int = 2
    api_url: str = ""
    public_api_url: str = ""
    """The API's address as people's browsers reach it; links in messages begin with it."""
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = 8050
    dashboard_sessions: Path = ROOT / ".cryptobot" / "dashboard" / "sessions"
    """Where viewers' sessions are kept, encrypted, over a restart."""
    airflow_port: int = 8080
    airflow_url: str = ""

    admin_user: str = "admin"
    admin_password: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    token_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    bundle_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)

    docs_dir: Path = ROOT / ".cryptobot" / "data_docs"
    """Where the quality reports (Data Docs) are written, and served from."""

    @field_validator("symbols", "intervals", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("alert_rules", "alert_targets", mode="before")
    @classmethod
    def _parse(cls, value: object, info: ValidationInfo) -> object:
        return parsed(f"CRYPTOBOT_{str(info.field_name).upper()}", value)

    @model_validator(mode="after")
    def _derive(self) -> Self:
        offline = self.exchange == "offline"
        derived = {
            "rest_url": f"http://127.0.0.1:{self.exchange_port}" if offline else BINANCE_REST,
            "stream_url": f"ws://127.0.0.1:{self.exchange_port}" if offline else BINANCE_STREAM,
            "archive_url": f"http://127.0.0.1:{self.exchange_port}" if offline else BINANCE_ARCHIVE,
            "api_url": f"http://127.0.0.1:{self.api_port}",
            "airflow_url": f"http://127.0.0.1:{self.airflow_port}",
        }
        for name, value in derived.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if not self.public_api_url:
            object.__setattr__(self, "public_api_url", self.api_url)
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.signal_interval not in self.intervals:
            raise ValueError(
                f"CRYPTOBOT_SIGNAL_INTERVAL is {self.signal_interval}, which is not among "
                f"CRYPTOBOT_INTERVALS ({','.join(self.intervals)}); add it there or choose another"
            )
        if isinstance(self.retention_history_1m, int) and (
            self.history_days_1m == "all" or self.history_days_1m > self.retention_history_1m
        ):
            raise ValueError(
                f"CRYPTOBOT_RETENTION_HISTORY_1M is {self.retention_history_1m} days, less than "
                f"CRYPTOBOT_HISTORY_DAYS_1M ({self.history_days_1m}) asks for; what is read would be removed"
            )
        if self.environment != "development":
            for name in ("admin_password", "token_key", "bundle_key"):
                if getattr(self, name).get_secret_value() == DEVELOPMENT_SECRET:
                    raise ValueError(
                        f"CRYPTOBOT_{name.upper()} is not set; outside development a secret of "
                        "its own is required (openssl rand -hex 32)"
                    )
        return self


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()
