"""Which parameters a model was fitted with, and how many were tried to find them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Search:
    """The ``chosen`` parameters of one algorithm, out of as many sets as were ``tried``."""

    chosen: dict[str, int | float]
    tried: int


def trials(searches: Iterable[Search]) -> int:
    """Return among how many models the best was picked: all sets tried, and the algorithms' mean."""
    tried = [search.tried for search in searches]
    return sum(tried) + (len(tried) > 1)
