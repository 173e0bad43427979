"""Numbers as text, a column at a time."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.events import frame
from infra.exchange.rendering import Choice, Fixed, Integer, fixed, lines

NUMBERS = st.lists(st.integers(0, 9_000_000_000_000_000_000), min_size=1, max_size=30)


@given(NUMBERS)
def test_whole_numbers_are_written_as_they_are(values: list[int]) -> None:
    rendered = lines([Integer(np.array(values, np.int64)), b";"], len(values))
    assert rendered.data == b"".join(b"%d;" % value for value in values)
    assert rendered.slice(0, 1) == b"%d;" % values[0]


@given(NUMBERS, st.integers(0, 8))
def test_decimals_have_eight_places_and_lose_nothing(values: list[int], decimals: int) -> None:
    rendered = lines([Fixed(np.array(values, np.int64), decimals), b";"], len(values))
    texts = rendered.data.decode().split(";")[:-1]
    assert texts == [f"{Decimal(value).scaleb(-decimals):.8f}" for value in values]
    assert texts == [fixed(value, decimals) for value in values]


@given(st.integers(-(10**15), 10**15), st.integers(0, 12))
def test_one_number_is_rounded_to_eight_places(value: int, decimals: int) -> None:
    assert abs(Decimal(fixed(value, decimals)) - Decimal(value).scaleb(-decimals)) <= Decimal("5e-9")


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.sampled_from([0, 100, 112, 125, 126, 300]))
def test_framed_lines_are_frames_of_their_text(masks: list[bool], padding: int) -> None:
    pad = b"x" * padding
    rendered = lines([pad, Choice(np.array(masks), b"true", b"false")], len(masks), framed=True)
    expected = [frame(pad + (b"true" if mask else b"false")) for mask in masks]
    assert rendered.data == b"".join(expected)
    assert rendered.slice(len(masks) - 1, len(masks)) == expected[-1]


def test_no_lines_are_no_bytes() -> None:
    assert lines([b"[", Integer(np.empty(0, np.int64))], 0).data == b""
