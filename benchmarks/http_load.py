"""Clients in a closed loop on kept connections, all in one thread: they take little of what they measure."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from benchmarks.programs import cpu_s
from tests.api.load import Connection

_WARM_UP_S = 2.0


@dataclass(frozen=True)
class Answered:
    """How many answers came a second, how long each took, and the servers' processor time for one."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def closed_loop(
    connect: Callable[[], Connection],
    body: bytes,
    *,
    clients: int,
    seconds: float,
    servers: Sequence[psutil.Process],
) -> Answered:
    """Let each of ``clients`` send ``body`` again as soon as it is answered by one of ``servers``.

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
        began = time.perf_counter() + _WARM_UP_S
        latencies: list[float] = []
        used = 0.0
        while (now := time.perf_counter()) < began + seconds:
            if not latencies:
                used = sum(map(cpu_s, servers))
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
        passed, used = now - began, sum(map(cpu_s, servers)) - used
    for connection in connections:
        connection.close()
    p50, p99 = np.percentile(latencies, (50, 99)) * 1_000
    return Answered(
        per_s=round(len(latencies) / passed, 1),
        p50_ms=round(float(p50), 3),
        p99_ms=round(float(p99), 3),
        cpu_ms=round(used * 1_000 / len(latencies), 3),
    )
