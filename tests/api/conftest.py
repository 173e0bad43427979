from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from pymongo.database import Database

from api.app import create
from cryptobot.serving.access import SCOPES, issue_token
from cryptobot.settings import Settings
from tests.servers import free_port, wait_until
from tests.serving.bundles import KEY

PASSWORD = "correct horse battery staple"


@pytest.fixture
def api_settings(app_settings: Settings, tmp_path: Path) -> Settings:
    return app_settings.model_copy(
        update={
            "admin_password": SecretStr(PASSWORD),
            "token_key": SecretStr("a key of 32 bytes and more for tests"),
            "bundle_key": KEY,
            "docs_dir": tmp_path / "docs",
        }
    )


@pytest.fixture
def served(api_settings: Settings) -> Settings:
    """Settings of an API on a port of its own."""
    port = free_port()
    return api_settings.model_copy(update={"api_port": port, "api_url": f"http://127.0.0.1:{port}"})


@pytest.fixture
async def app(
    api_settings: Settings, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FastAPI]:
    monkeypatch.setattr("api.models.predictions.FOLLOW_SECONDS", 3600)  # a test looks when it says so
    made = create(api_settings)
    async with made.router.lifespan_context(made):
        services = made.state.services
        await asyncio.to_thread(wait_until, lambda: services.prepared, limit=20, what="preparation")
        yield made


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not logged in."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


@pytest.fixture
async def client(app: FastAPI, api_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an access token of all scopes."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {issue_token(api_settings, 'admin', SCOPES)}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver", headers=headers
    ) as client:
        yield client
