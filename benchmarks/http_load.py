"""Clients in a closed loop on kept connections, all in one thread: they take little of what they measure."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.api.load import Connection


@dataclass(frozen=True)
class Answered:
    """How many answers came a second, and how long each took."""

    per_s: float
    p50_ms: float
    p99_ms: float


def closed_loop(
    connect: Callable[[], Connection], body: bytes, *, clients: int, seconds: float, warm_up_s: float = 2.0
) -> Answered:
    """Let each of ``clients`` send ``body`` again as soon as it is answered.

    Raises ``RuntimeError`` for any answer but 200: such a run is no figure.
    """
    connections = [connect() for _ in range(clients)]
    request = connections[0].prepared(body)
    with selectors.DefaultSelector() as selector:
        sent: dict[Connection, float] = {}
        for connection in connections:
            connection.ask(request)  # one after the other, as clients come
            selector.register(connection.opened(), selectors.EVENT_READ, connection)
        for connection in connections:
            sent[connection] = time.perf_counter()
            connection.send(request)
        began = time.perf_counter() + warm_up_s
        latencies: list[float] = []
        while (now := time.perf_counter()) < began + seconds:
            for key, _ in selector.select(timeout=1):
                connection = key.data
                status, answer = connection.receive()
                now = time.perf_counter()
                if status != 200:
                    raise RuntimeError(f"answered {status}: {answer[:300]!r}")
                if now >= began:
                    latencies.append(now - sent[connection])
                sent[connection] = time.perf_counter()
                connection.send(request)
        passed = now - began
    for connection in connections:
        connection.close()
    p50, p99 = np.percentile(latencies, (50, 99)) * 1_000
    return Answered(round(len(latencies) / passed, 1), round(float(p50), 3), round(float(p99), 3))
