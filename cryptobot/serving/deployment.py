"""Deployment: every API worker serves the champions, shown by scoring through the API; else back."""

from __future__ import annotations

import time
from collections.abc import Mapping

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


def await_deployment(
    database: Database[Document],
    settings: Settings,
    versions: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_SECONDS,
) -> dict[str, str]:
    """Return the version of each symbol once every live API worker serves it.

    ``versions`` defaults to the champions of the configured symbols, those that are promoted meanwhile
    included. The known rows of each are then scored through the API. What is not done within
    ``limit_s`` is rolled back.

    Raises
    ------
    DeploymentError
        When a version is not served in time, is quarantined, or scores other than it should.
    """
    wanted = dict(versions) if versions is not None else _champions(database, settings)
    if not wanted:
        raise DeploymentError("no symbol has a champion: the models job has to train one first")
    deadline = time.monotonic() + limit_s
    pending = dict.fromkeys(wanted, "there was no time to look")
    failed: dict[str, str] = {}
    while pending and time.monotonic() < deadline:
        if versions is None:
            newest = _champions(database, settings)
            wanted |= {symbol: version for symbol, version in newest.items() if symbol in pending}
        for symbol in list(pending):
            fault = _fault(database, settings, symbol, wanted[symbol])
            refusal = _refusal(database, wanted[symbol])
            if refusal:
                failed[symbol] = refusal
            elif fault:
                pending[symbol] = fault
                continue
            del pending[symbol]
        if pending:
            time.sleep(_PAUSE_SECONDS)
    failed |= pending
    if failed:
        outcomes = [_roll_back(database, symbol, wanted[symbol], fault) for symbol, fault in failed.items()]
        raise DeploymentError("; ".join(outcomes))
    return wanted


def _champions(database: Database[Document], settings: Settings) -> dict[str, str]:
    pointers = {symbol: registry.champion(database, symbol) for symbol in settings.symbols}
    return {symbol: pointer["version"] for symbol, pointer in pointers.items() if pointer}


def _fault(database: Database[Document], settings: Settings, symbol: str, version: str) -> str | None:
    """Return why ``version`` is not deployed, or ``None`` where it is."""
    workers = live_instances(database, "api")
    if not workers:
        return "no API worker is alive"
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


def _refusal(database: Database[Document], version: str) -> str | None:
    """Return why a worker has refused the bundle for good."""
    reason: str | None = registry.model(database, version).get("quarantine_reason")
    return reason


def _roll_back(database: Database[Document], symbol: str, version: str, fault: str) -> str:
    told = f"{version} is not deployed: {fault}"
    try:
        pointer = registry.roll_back(database, symbol, version, told)
    except registry.RegistryError as error:
        return f"{told}; it was not rolled back: {error}"
    return f"{told}; rolled back to {pointer['version']}"
