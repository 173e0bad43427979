"""Predictions over HTTP: how long one takes, how many come a second, and mlflow beside it.

The API with two workers, mongod and the clients run on the one machine that the figures name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import orjson
import psutil

from benchmarks import mlflow_peer
from benchmarks.figures import Figure
from benchmarks.http_load import Answered, closed_loop
from benchmarks.served_api import SYMBOL, WORKERS, Model, add, running_api, trained
from cryptobot.features import FEATURE_SET
from cryptobot.serving import registry
from tests.api.load import Connection
from tests.api.workers import BODIES, ROW, connection
from tests.exchange.environments import EnvironmentUnavailableError

SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
CLIENTS = 8
_ROW, _CANDLE = BODIES
_HUNDRED = orjson.dumps(orjson.loads(_ROW) | {"rows": orjson.loads(_ROW)["rows"] * 100})


def run() -> list[Figure]:
    """Measure one client, then eight, then mlflow with as many."""
    model = trained()
    with running_api() as api:
        version = add(api, model, 0)
        registry.promote(api.database, SYMBOL, version, "a benchmark")
        api.await_served(version)

        servers = [psutil.Process(pid) for pid in api.pids()]

        def measure(name: str, body: bytes, clients: int) -> Answered:
            found = closed_loop(
                lambda: connection(api.settings), body, clients=clients, seconds=SECONDS, servers=servers
            )
            print(f"{name}: {found}", flush=True)
            return found

        one = measure("a row, one client", _ROW, 1)
        candle = measure("the last candle, one client", _CANDLE, 1)
        hundred = measure("a hundred rows, one client", _HUNDRED, 1)
        many = measure(f"a row, {CLIENTS} clients", _ROW, CLIENTS)
        memory_mb = [server.memory_full_info().pss / 2**20 for server in servers]
    peer = _mlflow(model)
    named = mlflow_peer.NAME if peer else None
    p50, p99 = (peer[0].p50_ms, peer[0].p99_ms) if peer else (None, None)
    per_s, cpu_ms = (peer[1].per_s, peer[1].cpu_ms) if peer else (None, None)
    ratio = [
        Figure("requests_ratio_mlflow", round(many.per_s / per_s), "times", "higher", must=30, aim=80)
    ] if per_s else []  # fmt: skip
    return [
        Figure(
            "predict_p50_ms", round(one.p50_ms, 2), "ms", "lower", must=2, aim=0.9, peer=named, peer_value=p50
        ),
        Figure(
            "predict_p99_ms", round(one.p99_ms, 2), "ms", "lower", must=6, aim=2, peer=named, peer_value=p99
        ),
        Figure(
            "requests_per_s", round(many.per_s), "1/s", "higher",
            must=1_500, aim=3_000, peer=named, peer_value=per_s,
        ),
        *ratio,
        *_latencies("last_candle", candle),
        *_latencies("hundred_rows", hundred),
        *_latencies(f"clients_{CLIENTS}", many),
        Figure(
            "cpu_ms_per_request", many.cpu_ms, "ms", "lower", peer=named, peer_value=cpu_ms
        ),
        Figure("memory_worker_mb", round(max(memory_mb)), "MiB", "lower"),
    ]  # fmt: skip


def _latencies(name: str, answered: Answered) -> Sequence[Figure]:
    return [
        Figure(f"{name}_p50_ms", round(answered.p50_ms, 2), "ms", "lower"),
        Figure(f"{name}_p99_ms", round(answered.p99_ms, 2), "ms", "lower"),
    ]


def _mlflow(model: Model) -> tuple[Answered, Answered] | None:
    """Return what mlflow reaches with one client and with eight; ``None`` where it cannot be had."""
    row = {"columns": list(FEATURE_SET.names), "data": ROW.tolist()}
    body = orjson.dumps({"dataframe_split": row})
    try:
        with mlflow_peer.running_mlflow(model.forest, WORKERS) as (port, servers):
            found = [
                closed_loop(
                    lambda: Connection(port, mlflow_peer.PATH),
                    body,
                    clients=clients,
                    seconds=SECONDS,
                    servers=servers,
                )
                for clients in (1, CLIENTS)
            ]
    except EnvironmentUnavailableError as error:
        print(f"without mlflow: {error}")
        return None
    print(f"{mlflow_peer.NAME}, one client and {CLIENTS}: {found}", flush=True)
    return found[0], found[1]
