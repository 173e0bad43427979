from __future__ import annotations

from typing import Any

from dashboard.parts import drift
from tests.dashboard.parts.test_cards import words


def day(date: str = "2026-01-10", **changes: Any) -> dict[str, Any]:
    return {
        "day": f"{date}T00:00:00Z",
        "end": "2026-01-11T00:00:00Z",
        "rows": 672,
        "in_sample": False,
        "drifted": False,
        "reasons": [],
        "features": [{"name": "realised_96", "index": 0.5, "limit": 0.25}]
        + [{"name": f"f{i}", "index": 0.1, "limit": 0.25} for i in range(9)],
        "features_share": 0.1,
        "features_share_limit": 0.3,
        "predictions": {"rows": 672, "classes": {"buy": {"index": 0.1, "limit": 0.3}}},
        "hits": {
            "buy": {"signals": 1_200, "rate": 0.3, "expected": 0.45, "fallen": True},
            "sell": {"signals": 0, "rate": None, "expected": None, "fallen": False},
        },
        **changes,
    }


GONE = day(drifted=True, reasons=["40% of the features are distributed unlike in the training"])


def test_a_badge_tells_the_newest_day() -> None:
    assert drift.badge([]) == ("drift not measured", "badge flat")
    assert drift.badge([GONE, day()]) == ("● no drift", "badge live")
    assert drift.badge([day(in_sample=True)]) == ("● just trained", "badge live")
    assert drift.badge([day(), GONE]) == ("▲ drifted", "badge stale")


def test_days_are_bars_by_what_they_were() -> None:
    days = [day("2026-01-08", in_sample=True), day("2026-01-09"), {**GONE, "features_share": 0.456}]
    chart = drift.chart_of(days)
    assert chart["data"] == [
        {"day": "01-08", "in the training": 10.0},
        {"day": "01-09", "since, as usual": 10.0},
        {"day": "01-10", "since, drifted": 45.6},
    ]
    assert chart["referenceLines"][0]["y"] == 30
    assert chart["yAxisProps"]["domain"] == [0, 60], "the limit and the highest bar are within"
    assert drift.chart_of([]) == {"data": [], "referenceLines": []}


def test_what_was_found_is_said() -> None:
    assert "have left what the model was trained on: 40% of the features" in drift.said([GONE])
    assert "The 672 candles until 2026-01-11 00:00 are distributed as" in drift.said([day()])
    assert "what comes after is judged" in drift.said([day(in_sample=True)])
    assert "Nothing is measured yet" in drift.said([])


def test_the_features_furthest_beyond_their_limits_are_bars() -> None:
    bars = drift.features([day()])
    assert len(bars) == drift.FEATURES
    name, bar, value = bars[0].children
    assert (name.children, value.children) == ("realised_96", "0.50 of 0.25")
    assert (bar.className, bar.children.style) == ("bar over", {"width": "100.0%"})
    assert bars[1].children[1].className == "bar"


def test_predictions_and_signals_are_told_against_out_of_sample() -> None:
    predictions, hits = drift.predictions_and_hits([day()])
    assert words(predictions) == "Probability of Index Limit ▲ buy 0.10 0.30"
    assert words(hits).endswith("▲ buy 1,200 30 % 45 % ▼ sell 0 – –")
    assert [line.className for line in hits.children[1].children] == ["down", None]
    empty, _ = drift.predictions_and_hits([day(predictions=None)])
    assert words(empty) == "Too few predictions since the training to compare."
