"""The footer's line of services and their health."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dash import html

from dashboard import wording

SILENT_SECONDS = 15
"""A service that has not reported for this long counts as silent."""
MISSED_REPORTS = 4
"""The same for one that says how seldom it reports (``reports_every_s``), in its reports."""


def health(services: Iterable[dict[str, Any]], now: datetime) -> list[html.Span]:
    """Return one entry a service: how many of its instances are healthy, or that it is silent.

    Instances that fell silent while others of their service report are past processes and not counted.
    """
    seen: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    limits: dict[str, float] = {}
    for service in services:
        name, every = service["service"], service.get("detail", {}).get("reports_every_s", 0)
        age = wording.seconds_since(service["seen_at"], now)
        seen[name].append((service["state"] == "healthy", age))
        limits[name] = max(SILENT_SECONDS, MISSED_REPORTS * every)
    return [_entry(name, instances, limits[name]) for name, instances in sorted(seen.items())]


def quality(results: Iterable[dict[str, Any]]) -> list[html.A]:
    """Return one entry a checkpoint: whether the data has passed it, with a way to the report."""
    return [
        html.A(
            f"✓ {found['collection']} checked"
            if found["success"]
            else f"! {found['collection']}: {found['worst_severity']} findings",
            href="/quality/",
            target="_blank",
            className="service good" if found["success"] else "service bad",
        )
        for found in sorted(results, key=lambda found: str(found["collection"]))
    ]


def _entry(name: str, instances: list[tuple[bool, float]], silent_s: float) -> html.Span:
    reporting = [healthy for healthy, age in instances if age <= silent_s]
    if not reporting:
        silent = wording.age(min(age for _, age in instances))
        return html.Span(f"✕ {name} silent for {silent}", className="service bad")
    if not all(reporting):
        return html.Span(f"! {name} {sum(reporting)} of {len(reporting)} healthy", className="service bad")
    count = f" ×{len(reporting)}" if len(reporting) > 1 else ""
    return html.Span(f"✓ {name}{count}", className="service good")
