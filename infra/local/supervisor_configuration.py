"""The supervisor's configuration file, made from the declared services."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable

from cryptobot.settings import ROOT
from infra.local.layout import Layout
from infra.local.services import Service


def configuration(services: Iterable[Service], layout: Layout) -> str:
    """Return the text of the supervisor's configuration file."""
    folder = layout.supervisor
    head = f"""\
[unix_http_server]
file = {_plain(layout.control_socket)}
chmod = 0700

[supervisord]
logfile = {_plain(layout.log("supervisord"))}
logfile_maxbytes = 10MB
logfile_backups = 2
pidfile = {_plain(folder / "supervisord.pid")}
childlogdir = {_plain(layout.logs)}
directory = {_plain(ROOT)}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n".join([head, *(_program(service, layout) for service in services if not service.once)])


def _program(service: Service, layout: Layout) -> str:
    command = shlex.join([sys.executable, "-m", "infra.local.launch", service.name, "--", *service.argv])
    environment = ",".join(f'{name}="{_plain(value)}"' for name, value in service.environment.items())
    return f"""\
[program:{service.name}]
command = {_plain(command)}
environment = {environment}
directory = {_plain(ROOT)}
autostart = false
autorestart = true
startsecs = 1
startretries = 20
stopasgroup = true
killasgroup = true
stopsignal = {service.stop_signal}
stopwaitsecs = {service.stop_seconds}
redirect_stderr = true
stdout_logfile = {_plain(layout.log(service.name))}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""


def _plain(value: object) -> str:
    """Return ``value`` with the percent signs doubled, which the supervisor would expand."""
    return str(value).replace("%", "%%")
