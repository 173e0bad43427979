"""Windows: they are the span, and a full page of the grid ends with its window."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from cryptobot.exchange.windows import cut
from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms


def span_of(interval: Interval, start_ms: int, candles: int, rest: float) -> Span:
    """Return a span of about so many candles, and a part of one more."""
    length = timedelta(milliseconds=int((candles + rest) * interval.milliseconds) + 1)
    return Span("BTCUSDT", interval, from_ms(start_ms), from_ms(start_ms) + length)


DAYS = st.integers(17_000, 20_000).map(lambda day: day * 86_400_000)
SPANS = st.builds(
    span_of,
    st.sampled_from(Interval),
    DAYS | st.integers(1_500_000_000_000, 1_700_000_000_000),
    st.integers(0, 300),
    st.floats(0, 1),
)
SIZES = st.integers(1, 60)


class TestCut:
    @given(SPANS, SIZES)
    def test_the_pieces_are_the_span(self, span: Span, candles: int) -> None:
        pieces = list(cut(span, candles))
        assert pieces[0].start == span.start
        assert pieces[-1].end == span.end
        assert all(one.end == other.start for one, other in pairwise(pieces))
        counts = [p.interval.candles_between(p.start_ms, p.end_ms) for p in pieces]
        assert all(count == candles for count in counts[:-1])
        assert counts[-1] <= candles

    @given(SPANS, SIZES)
    @example(span_of(Interval.MINUTE_1, 1_700_000_040_000, 10, 0.5), 3)
    def test_a_piece_ends_with_its_last_candle_of_the_grid(self, span: Span, candles: int) -> None:
        pieces = list(cut(span, candles))
        assume(len(pieces) > 1)
        for piece in pieces[:-1]:
            last_ms = piece.end_ms - 1
            assert span.interval.floor(last_ms) == last_ms

    @given(SPANS, SIZES)
    @example(span_of(Interval.HOUR_1, 1_699_999_200_000, 6, 0), 3)
    def test_no_request_is_spent_on_a_rest_without_a_candle(self, span: Span, candles: int) -> None:
        pieces = list(cut(span, candles))
        assume(len(pieces) > 1)
        assert all(p.interval.candles_between(p.start_ms, p.end_ms) for p in pieces)
