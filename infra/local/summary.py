"""What a run says at its end: where everything is, how to log in, which models serve."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from cryptobot.settings import Settings
from infra.local import dotenv


def summary(settings: Settings, served: Mapping[str, str]) -> str:
    """Return the closing lines; the password is in them only on a terminal."""
    password = f"the password is CRYPTOBOT_ADMIN_PASSWORD in {dotenv.path()}"
    if sys.stdout.isatty():
        password = f"password {settings.admin_password.get_secret_value()}"
    lines = {
        "dashboard": f"http://127.0.0.1:{settings.dashboard_port}",
        "API": f"{settings.api_url}/docs",
        "Airflow": settings.airflow_url,
        "quality": f"{settings.api_url}/quality/",
        "log-in": f"{settings.admin_user}, {password}",
        **{f"champion of {symbol}": version for symbol, version in served.items()},
    }
    width = max(len(name) for name in lines)
    return "\n".join(["", *(f"  {name:<{width}}  {value}" for name, value in lines.items()), ""])
