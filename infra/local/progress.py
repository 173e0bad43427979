"""What a run tells on the way: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status


class Progress:
    """Lines with the seconds since the run began, and what is going on at the moment.

    The latter is a moving line on a terminal; elsewhere it is a line whenever it changes.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._console = Console(highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._now = ""

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Tell what has been done."""
        self._console.print(f"[{self.seconds:6.1f} s] {text}", markup=False)
        self._console.file.flush()

    def now(self, text: str) -> None:
        """Tell what is going on."""
        if text == self._now:
            return
        self._now = text
        if self._status:
            self._status.update(text)
        elif text:
            self.say(f"... {text}")
