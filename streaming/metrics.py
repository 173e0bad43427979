"""What a stream service counts, as Prometheus reads it: ``http://127.0.0.1:<metrics port>/metrics``."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import Field, field, fields
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from streaming.service import Pulse

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
BATCH_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def counted(meaning: str) -> Any:
    """Return a dataclass field that only grows: it becomes a Prometheus counter."""
    return field(default=0, metadata={"meaning": meaning, "kind": "counter"})


def measured(meaning: str) -> Any:
    """Return a dataclass field of the present state, perhaps unknown: it becomes a gauge."""
    return field(default=None, metadata={"meaning": meaning, "kind": "gauge"})


class Tally:
    """A histogram that takes many observations at once, at the price of a list's.

    Observed by one thread and read by another: a reader may be one batch behind.
    """

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.meaning = meaning
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, values: Iterable[float]) -> None:
        """Count each of ``values``, in seconds."""
        counts, bounds = self._counts, self._bounds
        total = 0.0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self._sum += total

    def family(self, service: str) -> HistogramMetricFamily:
        """Return the histogram as it is now."""
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        metric = HistogramMetricFamily(f"cryptobot_{service}_{self.name}", self.meaning)
        metric.add_metric([], list(zip(names, accumulate(self._counts), strict=True)), self._sum)
        return metric


class PulseCollector(Collector):
    """Makes metrics of a service's pulse: whatever field it has, when it is asked for."""

    def __init__(self, service: str, sample: Callable[[], Pulse], tallies: Sequence[Tally]) -> None:
        self._service = service
        self._sample = sample
        self._tallies = tallies

    def collect(self) -> Iterator[Metric]:
        """Yield a metric for each number of the pulse and for each tally."""
        pulse = self._sample()
        problem = f"cryptobot_{self._service}_unhealthy"
        yield GaugeMetricFamily(problem, "1 while the service has a problem.", float(bool(pulse.problem)))
        for part in fields(pulse):
            value = getattr(pulse, part.name)
            if isinstance(value, datetime):
                value = value.timestamp()
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield self._number(part, value)
        for tally in self._tallies:
            yield tally.family(self._service)

    def _number(self, part: Field[Any], value: float) -> Metric:
        meaning = part.metadata.get("meaning", part.name.replace("_", " "))
        name = f"cryptobot_{self._service}_{part.name}"
        if part.metadata.get("kind") == "counter":
            return CounterMetricFamily(name, meaning, value)
        return GaugeMetricFamily(name, meaning, value)


def serve(
    port: int, service: str, sample: Callable[[], Pulse], tallies: Sequence[Tally] = ()
) -> Callable[[], None]:
    """Serve the metrics on loopback until the function that is returned is called; port 0: not at all.

    Without its port the service goes on, and says so once.
    """
    if not port:
        return lambda: None
    registry = CollectorRegistry()
    registry.register(PulseCollector(service, sample, tallies))
    try:
        server, thread = start_http_server(port, HOST, registry)
    except OSError as error:
        log.warning(
            "no metrics: port %d of %s cannot be opened (%s); give this %s another CRYPTOBOT_METRICS_PORT",
            port, HOST, error.strerror, service,
        )  # fmt: skip
        return lambda: None

    def end() -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()
        thread.join(timeout=1)
        server.server_close()

    return end
