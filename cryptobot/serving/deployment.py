"""Deployment: every API worker serves the champions, shown by scoring through the API; else back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.access import issue_token
from cryptobot.serving.bundle import GOLDEN_TOLERANCE
from cryptobot.settings import Settings
from cryptobot.storage.database import Document
from cryptobot.storage.health import live_instances

LIMIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.1


class DeploymentError(RuntimeError):
    """A champion is not served by every worker; the message says which, why, and what was done."""


class _ApiAwayError(Exception):
    """There is no API to ask, which says nothing of a champion."""


@dataclass
class _Awaited:
    """The version that is to serve a symbol, until when, and why it is not deployed yet."""

    version: str
    deadline: float
    fault: str = ""
    refused: bool = False
    api_was_away: bool = False


def await_deployment(
    database: Database[Document],
    settings: Settings,
    versions: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_SECONDS,
) -> dict[str, str]:
    """Return the version of each symbol once every live API worker serves it.

    ``versions`` defaults to the champions of the configured symbols. One that is promoted meanwhile is
    awaited instead, for ``limit_s`` of its own. The known rows of each are then scored through the API,
    and it is recorded as deployed. What is not done in time is rolled back, unless it was deployed
    before, or the API was away; what a worker has quarantined is rolled back in any case.

    Raises
    ------
    DeploymentError
        When a version is not served in time, is quarantined, or scores other than it should.
    """
    wanted = dict(versions) if versions is not None else _champions(database, settings)
    if not wanted:
        raise DeploymentError("no symbol has a champion: the models job has to train one first")
    deadline = time.monotonic() + limit_s
    awaited = {symbol: _Awaited(version, deadline) for symbol, version in wanted.items()}
    served: dict[str, str] = {}
    failed: list[str] = []
    while awaited:
        if versions is None:
            _renew(awaited, _champions(database, settings), limit_s)
        for symbol, each in list(awaited.items()):
            if _deployed(database, settings, symbol, each):
                registry.record_deployment(database, each.version)
                served[symbol] = each.version
            elif each.refused or time.monotonic() >= each.deadline:
                failed.append(_given_up(database, symbol, each))
            else:
                continue
            del awaited[symbol]
        if awaited:
            time.sleep(_PAUSE_SECONDS)
    if failed:
        raise DeploymentError("; ".join(failed))
    return served


def _champions(database: Database[Document], settings: Settings) -> dict[str, str]:
    pointers = {symbol: registry.champion(database, symbol) for symbol in settings.symbols}
    return {symbol: pointer["version"] for symbol, pointer in pointers.items() if pointer}


def _renew(awaited: dict[str, _Awaited], champions: Mapping[str, str], limit_s: float) -> None:
    """Await the new champion, with a deadline of its own, where another was promoted."""
    for symbol, each in awaited.items():
        champion = champions.get(symbol, each.version)
        if champion != each.version:
            awaited[symbol] = _Awaited(champion, time.monotonic() + limit_s)


def _deployed(database: Database[Document], settings: Settings, symbol: str, each: _Awaited) -> bool:
    """Return whether the version is deployed; what is wrong where it is not is noted."""
    try:
        fault = _fault(database, settings, symbol, each.version)
    except _ApiAwayError as error:
        fault, each.api_was_away = str(error), True
    refusal = registry.model(database, each.version).get("quarantine_reason")
    each.fault, each.refused = refusal or fault or "", bool(refusal)
    return not each.fault


def _fault(database: Database[Document], settings: Settings, symbol: str, version: str) -> str | None:
    """Return why ``version`` is not deployed, or ``None`` where it is."""
    workers = live_instances(database, "api")
    if not workers:
        raise _ApiAwayError("no API worker is alive")
    behind = [w["instance"] for w in workers if w["detail"].get("models", {}).get(symbol) != version]
    if behind:
        return f"{len(behind)} of {len(workers)} API workers do not serve it ({', '.join(behind)})"
    return _score(settings, registry.model(database, version))


def _score(settings: Settings, manifest: Document) -> str | None:
    """Score the manifest's known rows through the API; return what is wrong with the answer."""
    names = manifest["feature_set"]["names"]
    known = manifest["golden_rows"]
    rows = [dict(zip(names, row["features"], strict=True)) for row in known]
    token = issue_token(settings, "deployment", {"read"}, seconds=60)
    try:
        response = httpx.post(
            f"{settings.api_url}/v1/predictions",
            json={"symbol": manifest["symbol"], "rows": rows},
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
        )
        response.raise_for_status()
    except httpx.ConnectError as error:
        raise _ApiAwayError(f"nothing answers at {settings.api_url}") from error
    except httpx.HTTPError as error:
        return f"the API does not score it: {error}"
    answer = response.json()
    if answer["model_version"] != manifest["version"]:
        return f"the API answers with {answer['model_version']}"
    differences = [
        abs(item["probabilities"][name] - expected)
        for item, row in zip(answer["items"], known, strict=True)
        for name, expected in zip(manifest["classes"], row["probabilities"], strict=True)
    ]
    worst = max(differences)
    return None if worst <= GOLDEN_TOLERANCE else f"its known rows differ by {worst:.2g} through the API"


def _given_up(database: Database[Document], symbol: str, each: _Awaited) -> str:
    """Roll the version back where that may help; return what is wrong and what was done."""
    told = f"{each.version} is not deployed: {each.fault}"
    if not each.refused:
        if each.api_was_away:
            return (
                f"{told}; it was not rolled back, because the API was away: "
                "see that it runs (`make status`), then clear the task `await_workers`"
            )
        deployed_at = registry.model(database, each.version).get("deployed_at")
        if deployed_at is not None:
            return (
                f"{told}; it was not rolled back, because it was deployed at "
                f"{deployed_at:%Y-%m-%d %H:%M} UTC: look at the API's workers (`make logs SERVICE=api`), "
                "then clear the task `await_workers`"
            )
    try:
        pointer = registry.roll_back(database, symbol, each.version, told)
    except registry.RegistryError as error:
        return f"{told}; it was not rolled back: {error}"
    return f"{told}; rolled back to {pointer['version']}"
