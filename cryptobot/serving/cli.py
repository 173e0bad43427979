"""``cryptobot-models``: look at the models, promote one by hand, roll a champion back."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Sequence

from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import PyMongoError

from cryptobot.serving import registry
from cryptobot.serving.orders import promote_by_hand, roll_back_by_hand
from cryptobot.serving.promotion import skill
from cryptobot.settings import settings
from cryptobot.storage.collections import MODELS
from cryptobot.storage.database import Document, connect
from cryptobot.storage.health import live_instances

_SHOWN = 10
_COLUMNS = ("version", "state", "fit", "algorithm", "skill", "trained until", "why")
_PAUSE_SECONDS = 0.1


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; exits 1 with one sentence when it cannot be done."""
    asked = _parser().parse_args(argv)
    chosen = settings()
    database = connect(chosen)
    try:
        if asked.command == "list":
            print(_table(database, asked.symbol, asked.limit))
            return
        if asked.command == "promote":
            pointer = promote_by_hand(database, asked.version, getpass.getuser(), asked.reason)
        else:
            user = getpass.getuser()
            pointer = roll_back_by_hand(database, asked.symbol, user, asked.reason, asked.version)
        print(f"{pointer['_id']}: {pointer['version']} is the champion")
        print(_served(database, pointer, asked.wait))
    except registry.RegistryError as error:
        sys.exit(f"cryptobot-models: {error}")
    except PyMongoError as error:
        sys.exit(f"cryptobot-models: MongoDB does not answer ({type(error).__name__}); is it running?")
    finally:
        database.client.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("cryptobot-models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser(
        "list", help="show the newest models of each symbol, and why each serves or not"
    )
    shown.add_argument("symbol", nargs="?", help="of this symbol alone")
    shown.add_argument("--limit", type=int, default=_SHOWN, help=f"how many of each symbol ({_SHOWN})")
    promoted = commands.add_parser("promote", help="make a version the champion, whatever the gate says")
    promoted.add_argument("version")
    returned = commands.add_parser("roll-back", help="return to the model that served before the champion")
    returned.add_argument("symbol")
    returned.add_argument("--version", help="the champion that you mean; nothing is done if another serves")
    for command in (promoted, returned):
        command.add_argument("--reason", required=True, help="kept with the models")
        command.add_argument(
            "--wait", type=float, default=10, metavar="SECONDS", help="for the API's workers to serve it (10)"
        )
    return parser


def _served(database: Database[Document], pointer: Document, wait_s: float) -> str:
    """Return how many of the API's workers serve the pointer's version; all, or as ``wait_s`` has passed."""
    deadline = time.monotonic() + wait_s
    while True:
        workers = live_instances(database, "api")
        versions = [worker["detail"].get("models", {}).get(pointer["_id"]) for worker in workers]
        serving = versions.count(pointer["version"])
        if not workers:
            return "no API worker is alive; those that start will serve it"
        if serving == len(workers):
            return f"served by all {serving} API workers"
        if time.monotonic() >= deadline:
            return f"served by {serving} of {len(workers)} API workers after {wait_s:g} s; see GET /readyz"
        time.sleep(_PAUSE_SECONDS)


def _table(database: Database[Document], symbol: str | None, limit: int) -> str:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for each in [symbol] if symbol else sorted(database[MODELS].distinct("symbol")):
        newest = database[MODELS].find({"symbol": each}).sort("created_at", DESCENDING).limit(limit)
        rows += [_row(entry) for entry in newest]
    if len(rows) == 1:
        return f"no models{f' of {symbol}' if symbol else ''} yet; the DAG `models` trains them"
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )


def _row(entry: Document) -> tuple[str, ...]:
    happened = entry.get("history", [])
    verdict = entry.get("verdict", {})
    why = entry.get("quarantine_reason") or (
        happened[-1]["reason"] if happened else verdict.get("reason", "not judged yet")
    )
    return (
        str(entry["_id"]),
        "no bundle" if entry.get("bundle_removed_at") else str(entry["state"]),
        "yes" if entry["fit"] else "no",
        str(entry["algorithm"]),
        f"{skill(entry):+.4f}",
        f"{entry['window']['end']:%Y-%m-%d %H:%M}",
        str(why),
    )


if __name__ == "__main__":
    main()
