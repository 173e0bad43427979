"""Accessibility attributes, whose names are no Python names."""

from __future__ import annotations

from typing import Any


def aria(**attributes: str) -> dict[str, Any]:
    """Return ``aria-*`` attributes for a component: ``aria(label="Symbol")``."""
    return {f"aria-{name}": value for name, value in attributes.items()}
