"""The live path: how much it sustains without loss, how old what it stores is, and cryptofeed beside it.

Exchange, producer, Kafka, sink and mongod run as processes of their own, on the one machine that the
figures name; all of them, and the reader, share its cores.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import cryptofeed_peer
from benchmarks.cryptofeed_peer import Peer
from benchmarks.figures import Figure
from benchmarks.streaming_alerts import measure_alerts
from benchmarks.streaming_load import SECONDS, Load, measure
from benchmarks.streaming_path import Servers, running_servers
from tests.exchange.environments import EnvironmentUnavailableError

_LATENCY_AT = (100, 1_000, 5_000)
_UP = (5_000, 10_000, 15_000)
_DOWN = (4_000, 3_000, 2_000, 1_000)
_MANY = tuple(f"S{number:03}USDT" for number in range(400))
_MANY_PER_S = 2_000
_ALERTS_FOR = 3
"""Alerts come twice a second: so many times as long as a load."""


def run() -> list[Figure]:
    """Measure latencies, the sustained rate, alerts, 400 symbols, and cryptofeed, one after another."""
    with running_servers() as servers:
        loads = {rate: measure(servers, rate) for rate in _LATENCY_AT}
        sustained = _sustained(servers)
        alerts = measure_alerts(servers, _ALERTS_FOR * SECONDS)
        many = measure(servers, _MANY_PER_S, symbols=_MANY)
        peers = _cryptofeed(servers)
    kafka, mongo = peers.get("kafka"), peers.get("mongodb")
    return [
        _beside(
            Figure(
                "sustained_msgs_per_s", round(sustained.stored_per_s), "1/s", "higher",
                must=5_000, aim=10_000,
            ),
            "cryptofeed into Kafka", round(kafka.arrived_per_s) if kafka else None,
        ),
        _beside(
            Figure(
                "latency_p99_ms", round(loads[1_000].latency_ms["p99"], 1), "ms", "lower",
                must=250, aim=100,
            ),
            "cryptofeed into MongoDB", round(mongo.latency_p99_ms, 1) if mongo else None,
        ),
        Figure("alert_p99_ms", round(alerts["p99"], 1), "ms", "lower", must=1_000, aim=300),
        Figure("alert_p50_ms", round(alerts["p50"], 1), "ms", "lower"),
        Figure("alerts_measured", round(alerts["count"]), "alerts", "higher"),
        *(figure for rate, load in loads.items() for figure in _latencies(f"at_{rate}", load)),
        *(figure for name, load in _named(loads, sustained, many) for figure in _used(name, load)),
        Figure("many_symbols", len(_MANY), "symbols", "higher"),
        Figure("many_symbols_msgs_per_s", round(many.stored_per_s), "1/s", "higher"),
        *_latencies("many_symbols", many),
        *(figure for name, peer in peers.items() for figure in _peer(name, peer)),
    ]  # fmt: skip


def _sustained(servers: Servers) -> Load:
    """Return the highest load that was kept up with, without a loss."""
    best: Load | None = None
    for rate in _UP:
        load = measure(servers, rate, latency=False)
        if not load.kept_up:
            break
        best = load
    for rate in () if best else _DOWN:
        load = measure(servers, rate, latency=False)
        if load.kept_up:
            return load
    if best is None:
        raise RuntimeError(f"not even {_DOWN[-1]:,} trades a second were kept up with")
    return best


def _cryptofeed(servers: Servers) -> dict[str, Peer]:
    """Return cryptofeed's figures: Kafka flooded, MongoDB at the rate at which latency is promised."""
    try:
        peers = {
            "kafka": cryptofeed_peer.into_kafka(servers, 5_000),
            "mongodb": cryptofeed_peer.into_mongodb(servers, 1_000),
            "mongodb_at_5000": cryptofeed_peer.into_mongodb(servers, 5_000),
        }
    except EnvironmentUnavailableError as error:
        print(f"without cryptofeed: {error}")
        return {}
    for name, peer in peers.items():
        print(f"cryptofeed, {name}: {peer}", flush=True)
    return peers


def _beside(figure: Figure, peer: str, value: float | None) -> Figure:
    if value is None:
        return figure
    return Figure(**{**vars(figure), "peer": peer, "peer_value": value})


def _named(loads: dict[int, Load], sustained: Load, many: Load) -> Sequence[tuple[str, Load]]:
    named = [(f"at_{rate}", load) for rate, load in loads.items()]
    return [*named, ("sustained", sustained), ("many_symbols", many)]


def _latencies(name: str, load: Load) -> list[Figure]:
    return [
        Figure(f"{name}_latency_{part}_ms", round(value, 1), "ms", "lower")
        for part, value in load.latency_ms.items()
    ]


def _used(name: str, load: Load) -> list[Figure]:
    return [
        figure
        for part, use in load.use.items()
        for figure in (
            Figure(f"{name}_cpu_{part}_pct", round(use.cpu_pct), "% of a core", "lower"),
            Figure(f"{name}_memory_{part}_mb", round(use.memory_mb), "MiB", "lower"),
        )
    ]


def _peer(name: str, peer: Peer) -> list[Figure]:
    return [
        Figure(f"cryptofeed_{name}_issued_per_s", round(peer.issued_per_s), "1/s", "higher"),
        Figure(f"cryptofeed_{name}_msgs_per_s", round(peer.arrived_per_s), "1/s", "higher"),
        Figure(f"cryptofeed_{name}_latency_p99_ms", round(peer.latency_p99_ms, 1), "ms", "lower"),
        Figure(f"cryptofeed_{name}_cpu_pct", round(peer.cpu_pct), "% of a core", "lower"),
        Figure(f"cryptofeed_{name}_memory_mb", round(peer.memory_mb), "MiB", "lower"),
    ]
