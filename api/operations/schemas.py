"""What operators are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Liveness(BaseModel):
    """The process answers."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether this worker can answer everything, and otherwise what it waits for."""

    status: str = Field(examples=["ready", "not ready"])
    missing: list[str] = Field(examples=[["a champion of BTCUSDT: none has been promoted"]])
    models: dict[str, str] = Field(examples=[{"BTCUSDT": "BTCUSDT-20260101T000000Z-0a1b2c3d"}])


class ServiceHealth(BaseModel):
    """What an instance of a service last said of itself."""

    id: str = Field(examples=["api:4711@host"])
    service: str = Field(examples=["api"])
    instance: str
    state: str = Field(examples=["healthy", "unhealthy"])
    seen_at: datetime
    detail: dict[str, Any]


class JobReport(BaseModel):
    """The latest run of a job; further fields depend on the job."""

    model_config = ConfigDict(extra="allow")

    id: str
    job: str = Field(examples=["historical_data"])
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Pipeline(BaseModel):
    """How the product's parts are, and where to look closer."""

    airflow_url: str = Field(examples=["http://127.0.0.1:8080"])
    quality_url: str = Field(examples=["http://127.0.0.1:8000/quality/"])
    services: list[ServiceHealth]
    assets: list[JobReport]


class QualityResult(BaseModel):
    """What a checkpoint last found."""

    model_config = ConfigDict(extra="allow")

    id: str
    checkpoint: str
    suite: str
    collection: str
    success: bool
    worst_severity: str | None = Field(examples=["warning"])
    expectations: list[dict[str, Any]]
    rows: int
    report_path: str | None = Field(None, description="Below /quality/")
    started_at: datetime
    finished_at: datetime


class Quality(BaseModel):
    """The latest result of each checkpoint."""

    items: list[QualityResult]
    next_cursor: str | None = None
