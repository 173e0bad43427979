from __future__ import annotations

from dashboard.parts import backtest
from tests.dashboard.parts.test_cards import words


def curves(count: int) -> dict[str, object]:
    return {
        "curves": {
            "open_time": [f"2026-01-{1 + n // 100:02}T00:00:00Z" for n in range(count)],
            "strategy": [1 + n / 1_000 for n in range(count)],
            "buy_and_hold": [1.0] * count,
        },
        "reasons": ["passed: 132 trades, wanted 30", "failed: better than the base rates on 1 of 4 folds"],
    }


def test_the_capital_is_thinned_to_what_can_be_seen_and_ends_with_its_end() -> None:
    data = backtest.chart_of(curves(500))
    assert len(data) == 167
    assert data[-1] == {"day": "2026-01-05", "its signals": 1.499, "buy and hold": 1.0}
    assert [point["its signals"] for point in backtest.chart_of(curves(3))] == [1.0, 1.001, 1.002]
    assert backtest.chart_of(None) == backtest.chart_of({"reasons": []}) == []


def test_each_condition_is_marked_as_met_or_not() -> None:
    met, failed = backtest.conditions(curves(1))
    assert words(met) == "✓ 132 trades, wanted 30"
    assert words(failed) == "✕ better than the base rates on 1 of 4 folds"
    assert words(backtest.conditions(None)) == "No backtest is recorded yet."
