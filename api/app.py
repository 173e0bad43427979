"""The application of one worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from pymongo.errors import PyMongoError

from api import metrics
from api.auth import endpoints as auth
from api.auth.login import ensure_admin
from api.backtests import endpoints as backtests
from api.documentation import describe
from api.drift import endpoints as drift
from api.envelope import Envelope
from api.market import endpoints as market
from api.models import endpoints as models
from api.models.predictions import Predictions
from api.operations import endpoints as operations
from api.problems import add_problem_handlers
from api.reports import endpoints as reports
from api.services import Services
from api.signals import endpoints as signals
from cryptobot.decisions.operational import model_refused
from cryptobot.serving.store import ChampionStore
from cryptobot.settings import Settings
from cryptobot.settings import settings as process_settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import connect, connect_async

log = logging.getLogger("api.worker")

_RETRY_SECONDS = 2.0
_LOOK_SECONDS = 10.0
"""A new worker takes no request before it serves the champions, unless MongoDB is away for so long."""


def create(settings: Settings | None = None) -> FastAPI:
    """Return the application; it answers ``/livez`` even while nothing else can be reached."""
    chosen = settings or process_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        blocking = connect(chosen)
        store = ChampionStore(blocking, chosen, "api", _count_load, model_refused)
        services = Services(chosen, connect_async(chosen), store, Predictions(store, blocking))
        app.state.services = services
        store.start()
        preparing = asyncio.create_task(_prepare(services))
        await asyncio.to_thread(store.await_first_look, _LOOK_SECONDS)
        following = asyncio.create_task(services.predictions.follow(chosen.symbols))
        try:
            yield
        finally:
            for task in (preparing, following):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(store.close)
            blocking.client.close()
            await services.database.client.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None)
    add_problem_handlers(app)
    # Routes are looked through in order: predictions, of which most are asked, come first.
    for part in (models, auth, market, signals, backtests, drift, operations, reports):
        app.include_router(part.router)
    app.add_middleware(Envelope)
    describe(app)
    return app


async def _prepare(services: Services) -> None:
    """Set up collections and administrator, as soon as there is a database."""
    told = False
    while not services.prepared:
        try:
            await asyncio.to_thread(_ensure_collections, services.settings)
            await ensure_admin(services)
            services.prepared = True
        except PyMongoError as error:
            if not told:
                log.warning("the database does not answer, waiting for it: %s", error)
                told = True
            await asyncio.sleep(_RETRY_SECONDS)


def _ensure_collections(settings: Settings) -> None:
    database = connect(settings)
    try:
        ensure_collections(database)
    finally:
        database.client.close()


def _count_load(symbol: str, version: str, outcome: str) -> None:
    metrics.RELOADS.labels(symbol, outcome).inc()
    if outcome == "loaded":
        metrics.SERVED.labels(symbol, version).set(time.time())
