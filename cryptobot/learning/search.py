"""The search for an algorithm's parameters, bounded: a handful of sets, most of them given up early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Parameters = dict[str, int | float]


@dataclass(frozen=True)
class Search:
    """The ``chosen`` parameters of one algorithm, out of as many sets as were ``tried``."""

    chosen: Parameters
    tried: int


class Candidate(Protocol):
    """A model of one set of parameters that can be grown, tree by tree."""

    def grow(self, trees: int) -> float:
        """Grow to as many trees, and return the loss on rows that were not learned from."""


Grown = TypeVar("Grown", bound=Candidate)


def halve(candidates: Sequence[Grown], trees: Sequence[int]) -> Grown:
    """Return the best by successive halving: after each number of ``trees`` the worse half goes.

    Jamieson, Talwalkar (2016), *Non-stochastic Best Arm Identification and Hyperparameter
    Optimization*. Of equals the first stays.
    """
    left = list(candidates)
    for count in trees:
        losses = [candidate.grow(count) for candidate in left]
        order = sorted(range(len(left)), key=losses.__getitem__)
        left = [left[index] for index in order[: -(-len(left) // 2)]]
    return left[0]


def trials(searches: Iterable[Search]) -> int:
    """Return among how many models the best was picked: all sets tried, and the algorithms' mean."""
    tried = [search.tried for search in searches]
    return sum(tried) + (len(tried) > 1)
