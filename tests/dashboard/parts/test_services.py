from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.parts import services

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def report(name: str, seen_at: str = "2026-01-01T11:59:58Z", state: str = "healthy") -> dict[str, Any]:
    return {"service": name, "seen_at": seen_at, "state": state}


def test_each_service_is_one_entry() -> None:
    shown = services.health([report("sink"), report("api"), report("api")], NOW)
    assert [entry.children for entry in shown] == ["✓ api ×2", "✓ sink"]


def test_a_process_that_was_replaced_is_not_counted() -> None:
    (entry,) = services.health([report("api"), report("api", "2026-01-01T11:00:00Z")], NOW)
    assert entry.children == "✓ api"


def test_silence_and_trouble_are_told_apart() -> None:
    silent, unwell = services.health(
        [report("api", "2026-01-01T11:50:00Z"), report("sink"), report("sink", state="unhealthy")], NOW
    )
    assert silent.children == "✕ api silent for 10 min"
    assert unwell.children == "! sink 1 of 2 healthy"
    assert "bad" in silent.className
    assert "bad" in unwell.className


def test_what_reports_seldom_is_not_silent_in_between() -> None:
    seldom = {"detail": {"reports_every_s": 90.0}}
    (entry,) = services.health([report("live_feed", "2026-01-01T11:58:00Z") | seldom], NOW)
    assert entry.children == "✓ live_feed"
    (entry,) = services.health([report("live_feed", "2026-01-01T11:50:00Z") | seldom], NOW)
    assert entry.children == "✕ live_feed silent for 10 min"


def test_each_checkpoint_says_whether_the_data_passed() -> None:
    passed, failed = services.quality(
        [
            {"collection": "streaming_data", "success": False, "worst_severity": "critical"},
            {"collection": "historical_data", "success": True, "worst_severity": None},
        ]
    )
    assert passed.children == "✓ historical_data checked"
    assert failed.children == "! streaming_data: critical findings"
    assert failed.href == "/quality/"
