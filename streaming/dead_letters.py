"""``cryptobot-dead-letters``: look at the messages that could not be stored, and send them again."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice

from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cryptobot.market.instant import parse_instant
from cryptobot.settings import settings
from streaming.letters import DeadLetters, Letter
from streaming.service import quiet_kafka

SHOWN = 20
VALUE_CHARS = 160
REPLAY_BATCH = 1_000
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def instant(text: str) -> datetime:
    """Read an ISO date or time (UTC), or an age: ``90m``, ``2h``, ``3d``."""
    if age := re.fullmatch(r"(\d+)([mhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        return parse_instant(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-11-22T10:00 or an age such as 90m, 2h, 3d"
        ) from None


def positive(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("cryptobot-dead-letters", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("list", help="show the newest dead letters, their reasons and origins")
    shown.add_argument("--limit", type=positive, default=SHOWN, help=f"how many ({SHOWN})")
    sent = commands.add_parser("replay", help="send those not replayed yet to the topics they came from")
    sent.add_argument("--limit", type=positive, help="at most so many, the oldest first (all)")
    sent.add_argument("--again", action="store_true", help="those as well that were replayed before")
    sent.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    for command in (shown, sent):
        command.add_argument(
            "--since", type=instant, metavar="WHEN", help="only from then on: a UTC time, or 90m, 2h, 3d"
        )
    return parser


def table(letters: list[Letter]) -> Table:
    """Return the letters as a table, in the order given."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("letter", "at (UTC)", "state", "from", "reason"):
        made.add_column(column, overflow="fold")
    made.add_column("message", overflow="fold", ratio=1)
    for letter in letters:
        state = Text("waiting", "yellow") if letter.waiting else Text("replayed", "green")
        made.add_row(
            str(letter.offset),
            letter.at.strftime("%m-%d %H:%M:%S"),
            state,
            _printable(letter.origin),
            _printable(letter.reason),
            _printable(letter.value[:VALUE_CHARS].decode(errors="replace")),
        )
    return made


def _printable(text: str) -> Text:
    """Return what others wrote, without what a terminal would obey."""
    return Text("".join(letter if letter.isprintable() else "\ufffd" for letter in text))


def show(letters: DeadLetters, console: Console, since: datetime | None, limit: int) -> None:
    """Print the newest ``limit`` letters and how many wait."""
    found = list(letters.read(since=since, newest=limit))
    if found:
        console.print(table(found))
    console.print(f"{len(found)} shown; {letters.waiting} wait for a replay")


def replay(
    letters: DeadLetters,
    console: Console,
    *,
    since: datetime | None,
    limit: int | None,
    again: bool,
    dry_run: bool,
) -> None:
    """Send letters again and print what was sent, and what cannot be."""
    chosen = islice(letters.read(since=since, again=again), limit)
    if dry_run:
        found = list(chosen)
        console.print(table(found))
        console.print(f"{sum(not letter.obstacle for letter in found)} of {len(found)} would be sent again")
        return
    sent, kept = 0, Counter[str]()
    while batch := list(islice(chosen, REPLAY_BATCH)):
        sent += letters.replay(batch)
        kept.update(letter.obstacle for letter in batch if letter.obstacle)
    console.print(f"{sent} sent again to the topics they came from")
    for obstacle, count in kept.items():
        console.print(f"{count} not sent: {obstacle}")


def main() -> None:
    """Run the command; exits 1 with one sentence when Kafka is away."""
    asked = _parser().parse_args()
    quiet_kafka()
    console = Console(soft_wrap=False)
    bootstrap = settings().kafka_bootstrap
    try:
        with DeadLetters(bootstrap) as letters:
            if asked.command == "list":
                show(letters, console, asked.since, asked.limit)
            else:
                replay(
                    letters,
                    console,
                    since=asked.since,
                    limit=asked.limit,
                    again=asked.again,
                    dry_run=asked.dry_run,
                )
    except KafkaError as error:
        sys.exit(
            f"Kafka at {bootstrap} does not answer ({type(error).__name__}); is it running? (make status)"
        )
