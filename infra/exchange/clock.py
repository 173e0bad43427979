"""The exchange's clock: the wall clock, or faster."""

from __future__ import annotations

import time


class Clock:
    """Milliseconds since the epoch that pass ``speed`` times as fast from the moment it is made."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._wall = time.time()
        self._began = time.monotonic()

    def now_us(self) -> int:
        """Return the exchange's time in microseconds."""
        if self.speed == 1.0:
            return time.time_ns() // 1_000
        return int((self._wall + (time.monotonic() - self._began) * self.speed) * 1_000_000)

    def now_ms(self) -> int:
        """Return the exchange's time in milliseconds."""
        return self.now_us() // 1_000
