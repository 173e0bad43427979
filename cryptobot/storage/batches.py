"""Any number of documents or keys, taken a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield ``items`` in lists of ``size``, the last of what is left; only one list is held at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
