"""``cryptobot-exchange``: run the offline exchange in the foreground."""

from __future__ import annotations

import sys

import uvloop
from pydantic import ValidationError

from infra.exchange.options import OptionError, from_environment
from infra.exchange.server import serve


def main() -> int:
    """Serve until told to stop; return 1, with one sentence, when a setting is wrong."""
    try:
        options = from_environment()
        uvloop.run(serve(options))
    except (OptionError, ValidationError, OSError) as error:
        print(f"exchange: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
