"""The exchange's clock: the wall clock, faster, or going round the last day of a record."""

from __future__ import annotations

import time


class Clock:
    """Microseconds since the epoch that pass ``speed`` times as fast from the moment it is made.

    With ``lap_ms``, a half-open range of ms, time begins at its start and goes round in it.
    """

    def __init__(self, speed: float = 1.0, lap_ms: tuple[int, int] | None = None) -> None:
        self._speed = speed
        self._lap_us = None if lap_ms is None else (lap_ms[0] * 1_000, (lap_ms[1] - lap_ms[0]) * 1_000)
        self._start_us = time.time_ns() // 1_000 if self._lap_us is None else self._lap_us[0]
        self._began = time.monotonic()

    def now_us(self) -> int:
        """Return the exchange's time in microseconds."""
        if self._speed == 1.0 and self._lap_us is None:
            return time.time_ns() // 1_000
        passed = int((time.monotonic() - self._began) * self._speed * 1_000_000)
        if self._lap_us is None:
            return self._start_us + passed
        return self._start_us + passed % self._lap_us[1]

    def now_ms(self) -> int:
        """Return the exchange's time in milliseconds."""
        return self.now_us() // 1_000
