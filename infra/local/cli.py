"""``cryptobot run|stop|status|logs|notebook|clean-state``: the local run's command line."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from cryptobot.settings import ROOT
from infra.local import environment, status
from infra.local.errors import LocalRunError
from infra.local.layout import Layout
from infra.local.run import run, stop

_LINES_OF_LOG = "200"


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``cryptobot``; exits 1 with one line on stderr when something is amiss."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "run":
            run(services_only=options.services_only, only=options.only)
        elif options.command == "stop":
            stop()
        elif options.command == "status":
            _status()
        elif options.command == "logs":
            _logs(options.service)
        elif options.command == "notebook":
            _notebook()
        else:
            _clean_state()
    except LocalRunError as error:
        sys.exit(f"cryptobot: {error}")
    except KeyboardInterrupt:
        sys.exit("cryptobot: interrupted; `make run` goes on from here, `make stop` ends what runs")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cryptobot", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="start every service and run the main job")
    run_parser.add_argument("--services-only", action="store_true", help="start the services, run no job")
    run_parser.add_argument("--only", help="comma separated services to start, with what they need")
    commands.add_parser("stop", help="end every process of the run")
    commands.add_parser("status", help="show each service; exit 1 when one is not healthy")
    logs = commands.add_parser("logs", help="show a service's log; follow it on a terminal")
    logs.add_argument("service", nargs="?", default="")
    commands.add_parser("notebook", help="open JupyterLab on the data of what runs, on loopback")
    commands.add_parser("clean-state", help="stop, and remove all data of the local run")
    return parser


def _status() -> None:
    rows = status.measure(environment.running())
    status.show(rows)
    if sick := [row.name for row in rows if not row.healthy]:
        raise LocalRunError(f"not healthy: {', '.join(sick)}; see `make logs SERVICE={sick[0]}`")


def _logs(service: str) -> None:
    layout = Layout.of_environment()
    log = layout.log(service)
    if not service or not log.exists():
        known = sorted(path.stem for path in layout.logs.glob("*.log"))
        raise LocalRunError(
            f"there is no log of {service or 'no service'} in {layout.logs}; "
            f"`make logs SERVICE=...` takes one of {', '.join(known) or '(nothing has run yet)'}"
        )
    follow = ["-F"] if sys.stdout.isatty() else []
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", _LINES_OF_LOG, *follow, str(log)])  # noqa: S606, S607 - tail of any system


def _notebook() -> None:
    environment.running()  # the kernels read the same settings
    sys.stdout.flush()
    config = ROOT / "notebooks" / "lab" / "jupyter_lab_config.py"
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", f"--config={config}"])  # noqa: S606


def _clean_state() -> None:
    stop()
    layout = Layout.of_environment()
    for folder in (layout.supervisor, layout.state / "markets"):
        shutil.rmtree(folder, ignore_errors=True)
    print(f"removed the data in {layout.state}")
