"""How far features look back: far enough on each grid, and not much farther."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cryptobot.features import FEATURE_SET, reach_ms
from cryptobot.market import Interval
from cryptobot.market.instant import to_ms


@pytest.mark.parametrize("interval", list(Interval))
def test_the_reach_holds_the_whole_warm_up_and_few_candles_more(interval: Interval) -> None:
    at_ms = interval.floor(to_ms(datetime(2026, 3, 1, tzinfo=UTC)))
    for _ in range(13):  # a month's length differs over the year
        held = interval.candles_between(at_ms - reach_ms(interval), at_ms)
        assert FEATURE_SET.warm_up <= held <= FEATURE_SET.warm_up + 4
        at_ms = interval.following(at_ms)
