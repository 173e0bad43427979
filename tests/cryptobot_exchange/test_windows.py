"""Windows: they are the span, and a full page of the grid ends with its window."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cryptobot.exchange.windows import cut
from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms

SPANS = st.builds(
    lambda interval, start, length: Span(
        "BTCUSDT", interval, from_ms(start), from_ms(start) + timedelta(milliseconds=length)
    ),
    st.sampled_from(Interval),
    st.integers(1_500_000_000_000, 1_800_000_000_000),
    st.integers(1, 200_000_000),
).map(
    # long enough in every interval to be cut
    lambda span: (
        Span(span.symbol, span.interval, span.start, span.start + (span.end - span.start) * 50)
        if span.interval.milliseconds > 3_600_000
        else span
    )
)


class TestCut:
    @given(SPANS, st.integers(50, 1_000))
    def test_the_pieces_are_the_span(self, span: Span, candles: int) -> None:
        if span.interval is Interval.SECOND_1:
            span = Span(
                span.symbol, span.interval, span.start, min(span.end, span.start + timedelta(hours=9))
            )
        pieces = list(cut(span, candles))
        assert pieces[0].start == span.start
        assert pieces[-1].end == span.end
        assert all(one.end == other.start for one, other in pairwise(pieces))
        counts = [p.interval.candles_between(p.start_ms, p.end_ms) for p in pieces]
        assert all(count == candles for count in counts[:-1])
        assert counts[-1] <= candles

    @given(SPANS.filter(lambda span: span.interval is not Interval.SECOND_1), st.integers(50, 1_000))
    def test_a_piece_ends_with_its_last_candle_of_the_grid(self, span: Span, candles: int) -> None:
        for piece in list(cut(span, candles))[:-1]:
            last_ms = piece.end_ms - 1
            assert span.interval.floor(last_ms) == last_ms

    @given(SPANS)
    def test_no_request_is_spent_on_a_rest_without_a_candle(self, span: Span) -> None:
        pieces = list(cut(span, 1_000))
        assert len(pieces) <= 1 or all(p.interval.candles_between(p.start_ms, p.end_ms) for p in pieces)
