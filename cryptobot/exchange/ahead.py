"""Reading ahead: several requests under way, their answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

READ_AHEAD = 4
"""Requests that one reader keeps under way."""


def in_order(read: Callable[[T], R], items: Iterable[T], ahead: int = READ_AHEAD) -> Iterator[R]:
    """Yield ``read(item)`` of each item in order, with up to ``ahead`` of them under way.

    What is read and not yet taken is bounded by ``ahead``. The first error ends it; reads that have
    not begun by then never do.
    """
    waiting = iter(items)
    first = list(islice(waiting, 2))
    if ahead < 2 or len(first) < 2:  # nothing to read ahead: no threads
        yield from map(read, chain(first, waiting))
        return
    pool = ThreadPoolExecutor(ahead, thread_name_prefix="read-ahead")
    try:
        under_way: deque[Future[R]] = deque(pool.submit(read, item) for item in first)
        while under_way:
            under_way.extend(pool.submit(read, item) for item in islice(waiting, ahead - len(under_way)))
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
