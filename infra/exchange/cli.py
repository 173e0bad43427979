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
    except ValidationError as error:
        return _refuse("; ".join(one["msg"] for one in error.errors()))
    except OptionError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"cannot listen: {error.strerror}; free the port, or set another by EXCHANGE_PORT")
    return 0


def _refuse(sentence: str) -> int:
    print(f"exchange: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
