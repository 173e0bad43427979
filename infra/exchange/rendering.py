"""Integers to text, a whole column at a time: kline rows and trade events without a loop.

Every line is laid out in a matrix of four-byte words; a number is looked up four digits at a
time, what is not needed (leading zeros, padding) is NUL, and one mask then drops all NULs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.exchange.bars import Ints

Words = NDArray[np.uint32]

_GROUP = 10_000
_DECIMALS = 8


def _table(pattern: str) -> Words:
    text = b"".join((pattern % number).encode().replace(b" ", b"\0") for number in range(_GROUP))
    return np.frombuffer(text, np.uint32)


_FULL = _table("%04d")
_LAST = _table("%4d")
_FIRST = _LAST.copy()
_FIRST[0] = 0


@dataclass(frozen=True, slots=True)
class Integer:
    """A column of whole numbers, none of them negative."""

    values: Ints

    def words(self) -> list[Words]:
        """Return the columns of words that spell the numbers."""
        return _whole(self.values)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A column of decimal numbers as the exchange writes them: eight places."""

    values: Ints
    decimals: int

    def words(self) -> list[Words]:
        """Return the columns of words that spell the numbers."""
        values, decimals = self.values, self.decimals
        if decimals > _DECIMALS:
            values, decimals = _rounded(values, decimals - _DECIMALS), _DECIMALS
        whole, fraction = np.divmod(values, 10**decimals)
        high, low = np.divmod(fraction * 10 ** (_DECIMALS - decimals), _GROUP)
        point = np.full(len(values), _word(b"."), np.uint32)
        return [*_whole(whole), point, _FULL[high], _FULL[low]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A column of one of two words of text, of up to eight bytes."""

    mask: NDArray[np.bool_]
    yes: bytes
    no: bytes

    def words(self) -> list[Words]:
        """Return the columns of words that spell the choice."""
        pairs = zip(_literal(self.yes, 8), _literal(self.no, 8), strict=True)
        return [np.where(self.mask, yes, no) for yes, no in pairs]


Part = bytes | Integer | Fixed | Choice


@dataclass(frozen=True, slots=True)
class Lines:
    """Rendered lines in one buffer: line ``i`` is ``data[offsets[i]:offsets[i + 1]]``."""

    data: bytes
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def slice(self, first: int, last: int) -> bytes:
        """Return lines ``first`` up to, not including, ``last``."""
        return self.data[self.offsets[first] : self.offsets[last]]


def lines(parts: Sequence[Part], count: int, *, framed: bool = False) -> Lines:
    """Render ``count`` lines of ``parts``, texts alike in each line and columns of numbers.

    ``framed`` puts the header of an unmasked WebSocket text frame before each line, so that
    the lines can be written to a connection as they are.
    """
    columns: list[Words | np.uint32] = [np.uint32(0)] if framed else []
    for part in parts:
        columns.extend(_literal(part, len(part)) if isinstance(part, bytes) else part.words())
    matrix = np.empty((count, len(columns)), np.uint32)
    for place, column in enumerate(columns):
        matrix[:, place] = column
    text = matrix.view(np.uint8)
    kept = text != 0
    sizes = np.count_nonzero(kept, axis=1)
    if framed:
        short = sizes < 126
        text[:, 0] = 0x81
        text[:, 1] = np.where(short, sizes, 126)
        text[:, 2], text[:, 3] = sizes >> 8, sizes & 255
        kept[:, :2] = True
        kept[:, 2:4] = ~short[:, None]
        sizes = sizes + np.where(short, 2, 4)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return Lines(text[kept].tobytes(), offsets)


def fixed(value: int, decimals: int) -> str:
    """Return one scaled integer as the exchange writes it, with eight places."""
    sign = "-" if value < 0 else ""
    value = abs(value)
    if decimals > _DECIMALS:
        unit = 10 ** (decimals - _DECIMALS)
        value, decimals = (value + unit // 2) // unit, _DECIMALS
    whole, fraction = divmod(value, 10**decimals)
    return f"{sign}{whole}.{fraction * 10 ** (_DECIMALS - decimals):08d}"


def _rounded(values: Ints, places: int) -> Ints:
    unit = 10**places
    return (values + unit // 2) // unit


def _whole(values: Ints) -> list[Words]:
    groups = []
    rest, largest = values, int(values.max(initial=0))
    while True:
        rest, group = np.divmod(rest, _GROUP)
        groups.append(group)
        largest //= _GROUP
        if not largest:
            break
    groups.reverse()
    words, begun = [], np.zeros(len(values), bool)
    for place, group in enumerate(groups):
        table = _LAST if place == len(groups) - 1 else _FIRST
        words.append(np.where(begun, _FULL[group], table[group]))
        begun = begun | (group > 0)
    return words


def _word(text: bytes) -> int:
    return int.from_bytes(text.ljust(4, b"\0"), "little")


def _literal(text: bytes, size: int) -> list[np.uint32]:
    padded = text.ljust(-(-size // 4) * 4, b"\0")
    return list(np.frombuffer(padded, "<u4"))
