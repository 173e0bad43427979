"""What the endpoints of one worker share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from pymongo.asynchronous.database import AsyncDatabase

from api.models.predictions import Predictions
from cryptobot.serving.store import ChampionStore
from cryptobot.settings import Settings


@dataclass(slots=True)
class Services:
    """Made when the worker starts, closed when it ends."""

    settings: Settings
    database: AsyncDatabase[dict[str, Any]]
    store: ChampionStore
    predictions: Predictions
    prepared: bool = False
    """Whether the collections and the administrator are in place."""


def services_of(request: Request) -> Services:
    """Return the services of the worker that answers ``request``."""
    services: Services = request.app.state.services
    return services


async def _shared(request: Request) -> Services:
    """Return the services on the event loop itself: a plain function would be given a thread's turn."""
    return services_of(request)


Shared = Annotated[Services, Depends(_shared)]
