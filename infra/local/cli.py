"""``cryptobot run|stop|status|logs``: the local run's command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from infra.local.errors import LocalRunError
from infra.local.run import run, stop


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``cryptobot``; exits 1 with one line on stderr when something is amiss."""
    parser = argparse.ArgumentParser(prog="cryptobot", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="start every service and run the main job")
    run_parser.add_argument("--services-only", action="store_true", help="start the services, run no job")
    run_parser.add_argument("--only", help="comma separated names of services to start, with what they need")
    commands.add_parser("stop", help="end every process of the run")
    options = parser.parse_args(argv)
    try:
        if options.command == "run":
            run(services_only=options.services_only, only=options.only)
        elif options.command == "stop":
            stop()
    except LocalRunError as error:
        sys.exit(f"cryptobot: {error}")
    except KeyboardInterrupt:
        sys.exit("cryptobot: interrupted; `make run` goes on from here, `make stop` ends what runs")
