"""What a run tells on the way: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Lines with the seconds since the run began; on a terminal also what is going on right now."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._console = Console(highlight=False, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Tell what has been done."""
        self._console.print(f"[{self.seconds:6.1f} s] {text}", markup=False)
        sys.stdout.flush()

    @contextmanager
    def during(self, text: str) -> Iterator[None]:
        """Show that ``text`` is going on, on a terminal; say it once elsewhere."""
        if self._terminal:
            with self._console.status(text):
                yield
        else:
            self.say(text)
            yield
