"""From ``.env`` and the caller's environment to the one that every service of a run gets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from cryptobot.settings import Settings
from infra.local import airflow_environment, dotenv, jars, market
from infra.local.errors import LocalRunError
from infra.local.layout import Layout


@dataclass(frozen=True)
class Installation:
    """A market, the settings under which it runs, and where."""

    market: market.Market
    settings: Settings
    layout: Layout
    variables: Mapping[str, str]

    def service_environment(self) -> dict[str, str]:
        """Return the environment of the services; fetches the jars that Spark needs where missing."""
        return {
            **self.variables,
            **airflow_environment.variables(self.settings, self.layout, self.variables),
            **airflow_environment.task_variables(jars.spark_jars()),
        }


def read(*, create: bool) -> Installation:
    """Return the installation that ``.env`` and the environment describe (which goes before ``.env``).

    With ``create``, secrets that are missing from ``.env`` are made and written there.
    """
    file = dotenv.path()
    written = dotenv.complete(file) if create else dotenv.read(file)
    given = {**written, **os.environ}
    chosen = market.choose(given)
    layout = Layout.of_environment(chosen.name)
    variables = {
        **given,
        **chosen.environment,
        "CRYPTOBOT_DOCS_DIR": given.get("CRYPTOBOT_DOCS_DIR") or str(layout.docs),
        "CRYPTOBOT_DASHBOARD_SESSIONS": given.get("CRYPTOBOT_DASHBOARD_SESSIONS") or str(layout.sessions),
    }
    return Installation(chosen, _settings(variables), layout, variables)


def save(installation: Installation) -> None:
    """Note what runs, so that later commands find it whatever their own environment says.

    Secrets are not in the note; they stay where they are, in ``.env``.
    """
    kept = {
        name: value
        for name, value in installation.variables.items()
        if _is_setting(name) and name not in dotenv.GENERATED
    }
    market = installation.market
    note = installation.layout.run_note
    note.touch(mode=0o600)
    note.write_text(json.dumps({"name": market.name, "title": market.title, "variables": kept}, indent=1))


def running() -> Installation:
    """Return the installation that :func:`save` noted.

    Raises
    ------
    LocalRunError
        When nothing was started.
    """
    layout = Layout.of_environment()
    if not layout.run_note.exists():
        raise LocalRunError(f"nothing runs from {layout.state}; start it with `make run`")
    note = json.loads(layout.run_note.read_text())
    variables = {**dotenv.read(dotenv.path()), **os.environ, **note["variables"]}
    chosen = market.Market(note["name"], note["title"], {})
    return Installation(chosen, _settings(variables), replace(layout, market=chosen.name), variables)


def _settings(variables: Mapping[str, str]) -> Settings:
    os.environ.update({name: value for name, value in variables.items() if _is_setting(name)})
    try:
        return Settings(_env_file=None)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LocalRunError(
            f"the settings are not valid: {where} {first['msg']}".replace("\n", " ")
        ) from error


def _is_setting(name: str) -> bool:
    return name.startswith(("CRYPTOBOT_", "EXCHANGE", "REPLAY_"))
