"""What is kept of costly values, and what is let go."""

from __future__ import annotations

from infra.exchange.recent import Recent


def test_the_least_recently_used_are_let_go_by_count() -> None:
    recent: Recent[str, str] = Recent(2)
    for key in ("a", "b", "a", "c"):
        assert recent.get(key, lambda key=key: key.upper()) == key.upper()
    assert recent.get("a", lambda: "made again") == "A"
    assert recent.get("b", lambda: "made again") == "made again"


def test_values_are_let_go_by_their_size() -> None:
    recent: Recent[str, bytes] = Recent(10, len)
    recent.get("small", lambda: b"123")
    recent.get("large", lambda: b"1234567")
    assert recent.get("small", lambda: b"again") == b"123"
    recent.get("other", lambda: b"1")
    assert recent.get("small", lambda: b"again") == b"123"
    assert recent.get("large", lambda: b"again") == b"again"


def test_a_value_larger_than_all_room_is_made_and_not_kept() -> None:
    recent: Recent[str, bytes] = Recent(3, len)
    assert recent.get("large", lambda: b"12345") == b"12345"
    assert recent.get("large", lambda: b"123456") == b"123456"
