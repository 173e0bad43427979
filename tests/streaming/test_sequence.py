"""Whatever order numbers come in, the position never passes one that is missing."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streaming.continuity.sequence import RENUMBERED_MS, Sequence

NUMBERS = st.integers(0, 60)


def after(numbers: Iterable[int]) -> Sequence:
    sequence = Sequence()
    for number in numbers:
        sequence.offer(number, number, 0.0)
    return sequence


def holes(sequence: Sequence) -> list[tuple[int, int]]:
    return [(hole.first, hole.last) for hole in sequence.holes]


class TestSequence:
    def test_is_whole_while_each_number_follows_the_one_before(self) -> None:
        sequence = after(range(5, 9))
        assert (sequence.position, sequence.next, sequence.holes, sequence.position_ms) == (8, 9, [], 8)

    def test_sees_a_hole_and_stays_before_it(self) -> None:
        sequence = after([5, 6, 9, 10])
        assert (sequence.position, holes(sequence), sequence.position_ms) == (6, [(7, 8)], 6)

    def test_heals_when_the_missing_ones_come_late(self) -> None:
        assert holes(after([1, 6, 4])) == [(2, 3), (5, 5)]
        healed = after([1, 6, 5, 4, 3, 2])
        assert (healed.position, healed.holes) == (6, [])

    def test_takes_no_note_of_repeated_numbers(self) -> None:
        sequence = after([1, 2, 3, 2, 1, 3])
        assert (sequence.position, sequence.holes) == (3, [])

    def test_keeps_a_hole_as_it_is_while_it_is_filled(self) -> None:
        sequence = after([1, 6])
        (hole,) = sequence.due(0.0)
        sequence.offer(3, 3, 0.0)
        assert sequence.due(0.0) == []
        assert holes(sequence) == [(2, 5)]
        sequence.fill(hole)
        assert sequence.position == 6

    def test_waits_before_a_hole_is_due(self) -> None:
        sequence = after([1])
        sequence.offer(3, 3, 10.0)
        assert sequence.due(9.0) == []
        assert len(sequence.due(10.0)) == 1

    def test_goes_on_from_a_position_of_before(self) -> None:
        late = after([10, 11])
        late.resume(6, 6, 0.0)
        assert (holes(late), late.position) == ([(7, 9)], 6)
        early = Sequence()
        early.resume(6, 6, 0.0)
        early.offer(10, 10, 0.0)
        assert (holes(early), early.position) == ([(7, 9)], 6)

    def test_has_nothing_to_do_when_the_position_of_before_is_where_it_begins(self) -> None:
        sequence = after([10, 11])
        sequence.resume(9, 9, 0.0)
        assert (holes(sequence), sequence.position) == ([], 11)

    def test_follows_an_exchange_that_counts_anew(self) -> None:
        sequence = after([1_000, 1_001])
        sequence.offer(5, 1_001 + RENUMBERED_MS + 1, 0.0)
        sequence.offer(6, 1_001 + RENUMBERED_MS + 2, 0.0)
        assert (sequence.position, sequence.holes) == (6, [])

    def test_forgets_a_position_of_before_the_exchange_counted_anew(self) -> None:
        sequence = Sequence()
        sequence.offer(5, RENUMBERED_MS + 2, 0.0)
        sequence.resume(1_000, 1, 0.0)
        assert sequence.position == 5

    @given(st.lists(NUMBERS, min_size=1, max_size=80))
    def test_holes_are_exactly_what_did_not_come(self, numbers: list[int]) -> None:
        sequence = after(numbers)
        missing = {number for first, last in holes(sequence) for number in range(first, last + 1)}
        expected = set(range(numbers[0], max(numbers) + 1)) - set(numbers)
        assert missing == expected
        assert sequence.position == min(expected, default=max(numbers) + 1) - 1

    @given(st.randoms(), st.integers(1, 200))
    def test_any_order_of_all_numbers_ends_whole(self, dice: random.Random, count: int) -> None:
        numbers = [*range(1, count), *dice.choices(range(1, count + 1), k=20)]
        dice.shuffle(numbers)
        sequence = after([0, *numbers, count])
        assert (sequence.position, sequence.holes) == (count, [])


class Life(RuleBasedStateMachine):
    """A producer's life: numbers come, repeat and are missed; holes are filled; it is killed and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.sequence = Sequence()
        self.resumed = True
        self.stored: int | None = None
        self.first: int | None = None
        self.have: set[int] = set()

    @rule(number=NUMBERS)
    def comes(self, number: int) -> None:
        if self.first is None:
            self.first = number
        self.have.add(number)
        self.sequence.offer(number, number, 0.0)

    @precondition(lambda self: self.sequence.next is not None)
    @rule(further=st.integers(1, 5))
    def is_due(self, further: int) -> None:
        self.sequence.expect((self.sequence.next or 0) + further, 0.0)

    @rule(data=st.data())
    def is_filled(self, data: st.DataObject) -> None:
        self.sequence.due(0.0)
        taken = [hole for hole in self.sequence.holes if hole.taken]
        if taken:
            hole = data.draw(st.sampled_from(taken))
            self.have.update(range(hole.first, hole.last + 1))
            self.sequence.fill(hole)

    @precondition(lambda self: self.resumed)
    @rule()
    def is_recorded(self) -> None:
        if self.sequence.position is not None:
            self.stored = self.sequence.position

    @rule()
    def is_killed(self) -> None:
        self.sequence = Sequence()
        self.resumed = False
        if self.stored is None:
            self.first, self.resumed = None, True

    @precondition(lambda self: not self.resumed)
    @rule()
    def resumes(self) -> None:
        assert self.stored is not None
        self.sequence.resume(self.stored, self.stored, 0.0)
        self.resumed = True

    @invariant()
    def has_all_up_to_the_position(self) -> None:
        position = self.sequence.position
        if self.resumed and position is not None and self.first is not None:
            assert self.have.issuperset(range(self.first, position + 1))

    @invariant()
    def has_holes_in_order_and_apart(self) -> None:
        found = holes(self.sequence)
        assert all(first <= last for first, last in found)
        assert all(one[1] < other[0] for one, other in pairwise(found))
        if found:
            assert found[-1][1] < (self.sequence.next or 0)


TestLife = Life.TestCase
