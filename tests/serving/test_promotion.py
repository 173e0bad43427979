from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.learning import gate
from cryptobot.serving import registry
from cryptobot.serving.approval import approval_request
from cryptobot.serving.promotion import (
    MOST_MISCALIBRATED,
    Answer,
    Decision,
    decide_promotion,
    newest_challenge,
    promote_challengers,
    settle_answered,
)
from tests.serving.models import add_model, promote_model

Db = Database[dict[str, Any]]


def metrics(gain: float) -> dict[str, float]:
    return {"log_loss": 1.0 - gain, "log_loss_baseline": 1.0}


TRAINED = datetime(2026, 1, 1, tzinfo=UTC)


def entry(gain: float, *, fit: bool = False, **fields: Any) -> dict[str, Any]:
    known = {"_id": "v1", "symbol": "BTCUSDT", "fit": fit, "metrics": metrics(gain)}
    return {**known, "state": "champion", "window": {"end": TRAINED}, **fields}


def beside(gain: float, base: float = 1.0, champion: str = "v1", error: float = 0.0) -> dict[str, Any]:
    """The outcome of a comparison: the champion's log loss is 0.95."""
    losses = {"challenger": 0.95 - gain, "champion": 0.95, "base_rates": base}
    return {
        "champion": champion, "rows": 900, "to": TRAINED, "log_loss": losses, "gain": gain, "error": error,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("champion", "challenger", "promote"),
    [
        (None, entry(-0.5), True),
        (entry(0.01), entry(0.02), True),
        (entry(0.02), entry(0.01), False),
        (entry(0.02), entry(0.0205), False),
        (entry(0.02), entry(0.01, fit=True), True),
        (entry(0.01, fit=True), entry(0.02), False),
        (entry(0.02, fit=True), entry(0.03, fit=True), True),
        (entry(0.05, state="quarantined", quarantine_reason="hash"), entry(0.01), True),
        (entry(-0.02), entry(-0.01), False),
        (entry(0.01), entry(0.02, rolled_back_at=TRAINED), False),
        (entry(0.01), entry(0.02, metrics={**metrics(0.02), "calibration_error": 0.06}), False),
        (
            entry(0.01),
            entry(
                0.02,
                metrics={
                    **metrics(0.02),
                    "calibration_error": 0.06,
                    "calibration_error_by_chance": 0.04,
                },
            ),
            True,
        ),
    ],
    ids=[
        "the first",
        "better",
        "worse",
        "hardly better",
        "fit before unfit",
        "unfit before fit",
        "better of two that are fit",
        "quarantined champion",
        "better, but worse than the base rates",
        "better, but rolled back",
        "not calibrated",
        "off by no more than chance",
    ],
)
def test_a_challenger_must_be_better_by_a_margin(
    champion: dict[str, Any] | None, challenger: dict[str, Any], promote: bool
) -> None:
    decision = decide_promotion(champion, challenger)
    assert decision.promote is promote
    assert decision.reason


def test_a_champion_that_has_expired_goes_whatever_its_skill() -> None:
    champion = entry(0.05, fit=True)
    challenger = entry(0.01, window={"end": TRAINED + timedelta(days=31)})
    assert decide_promotion(champion, challenger, timedelta(days=31)).promote is False
    decided = decide_promotion(champion, challenger, timedelta(days=30))
    assert decided.promote
    assert decided.reason == "the champion has expired: trained until 2026-01-01"


def test_promotion_bears_no_more_miscalibration_than_the_gate() -> None:
    assert gate.MOST_CALIBRATION_ERROR == MOST_MISCALIBRATED


def test_one_that_challenged_before_is_not_taken_for_better_than_what_came_after() -> None:
    newer = entry(0.01, window={"end": TRAINED + timedelta(days=1)})
    decided = decide_promotion(newer, entry(0.05, fit=True))
    assert decided == Decision(False, "the champion knows more: until 2026-01-02")
    gone = {**newer, "state": "quarantined", "quarantine_reason": "hash"}
    assert decide_promotion(gone, entry(0.05, fit=True)).promote


def test_a_challenger_that_has_expired_is_not_promoted() -> None:
    known = TRAINED + timedelta(days=31)
    quarantined = entry(0.01, state="quarantined", quarantine_reason="hash")
    for champion in (entry(0.01), quarantined):
        decided = decide_promotion(champion, entry(0.05, fit=True), timedelta(days=30), known)
        assert not decided.promote
        assert decided.reason == "it has expired itself: trained until 2026-01-01"
    assert decide_promotion(None, entry(0.05), timedelta(days=30), known).promote


@pytest.mark.parametrize(
    ("comparison", "promote", "told"),
    [
        (
            beside(0.01),
            True,
            "skill +0.0600 against the champion's +0.0500, on the 900 candles until 2026-01-01",
        ),
        (beside(-0.01), False, "not better by 0.001"),
        (beside(0.01, base=0.9), False, "no better than the base rates"),
        (beside(0.01, error=0.02), False, "better by less than the standard error of 0.0200"),
        (beside(0.01, champion="another"), False, "each on its own test windows"),
    ],
    ids=["ahead", "behind", "worse than the base rates", "by chance", "beside another champion"],
)
def test_on_candles_new_to_both_the_newest_figures_decide(
    comparison: dict[str, Any], promote: bool, told: str
) -> None:
    decided = decide_promotion(entry(0.02), entry(0.01, comparison=comparison))
    assert decided.promote is promote
    assert told in decided.reason


def test_each_symbol_is_settled_and_the_reason_kept(database: Db) -> None:
    first = add_model(database, 0, metrics=metrics(0.01))
    assert promote_challengers(database, ("BTCUSDT", "ETHUSDT")) == {
        "BTCUSDT": {"promoted": True, "version": first, "reason": "first model of BTCUSDT"},
        "ETHUSDT": {"promoted": False, "version": None, "reason": "ETHUSDT has no new model"},
    }
    worse = add_model(database, 1, metrics=metrics(0.0))
    decided = promote_challengers(database, ("BTCUSDT",))["BTCUSDT"]
    assert decided["promoted"] is False
    pointer = registry.champion(database, "BTCUSDT")
    assert pointer is not None
    assert pointer["version"] == first
    assert registry.model(database, worse)["verdict"]["reason"] == decided["reason"]


class TestAPersonsAnswer:
    @pytest.fixture
    def versions(self, database: Db) -> tuple[str, str]:
        """A champion, and a challenger that is better."""
        champion = promote_model(database, 0, metrics=metrics(0.01))
        return champion, add_model(database, 1, metrics=metrics(0.02))

    def serving(self, database: Db) -> str:
        pointer = registry.champion(database, "BTCUSDT")
        assert pointer is not None
        return str(pointer["version"])

    def test_approved_it_serves_and_who_said_so_is_kept(
        self, database: Db, versions: tuple[str, str]
    ) -> None:
        done = settle_answered(database, versions[1], Answer(True, "ada", "looks sound"))
        assert done["promoted"]
        assert done["reason"].startswith("approved by ada (looks sound): better out of sample: skill +0.0200")
        assert self.serving(database) == versions[1]
        verdict = registry.model(database, versions[1])["verdict"]
        assert (verdict["promoted"], verdict["by"], verdict["reason"]) == (True, "ada", done["reason"])
        again = settle_answered(database, versions[1], Answer(True, "ada"))
        assert again["promoted"]
        assert again["reason"] == "approved by ada: it serves already"

    def test_refused_it_is_not_proposed_again(self, database: Db, versions: tuple[str, str]) -> None:
        done = settle_answered(database, versions[1], Answer(False, "ada"))
        assert done["reason"].startswith("refused by ada: better out of sample")
        assert self.serving(database) == versions[0]
        assert newest_challenge(database, "BTCUSDT") is None

    def test_unanswered_it_waits_for_the_next_time(self, database: Db, versions: tuple[str, str]) -> None:
        done = settle_answered(database, versions[1], Answer(False, None))
        assert done["reason"].startswith("nobody approved it: better out of sample")
        assert self.serving(database) == versions[0]
        found = newest_challenge(database, "BTCUSDT")
        assert found is not None
        assert found.challenger["_id"] == versions[1]

    def test_approval_does_not_go_round_the_gate(self, database: Db, versions: tuple[str, str]) -> None:
        best = promote_model(database, 2, metrics=metrics(0.03))
        late = settle_answered(database, versions[1], Answer(True, "ada"))
        assert late["promoted"] is False
        assert "not better by 0.001" in late["reason"]
        registry.quarantine(database, versions[1], "hash differs")
        assert (
            "quarantined: hash differs"
            in settle_answered(database, versions[1], Answer(True, "ada"))["reason"]
        )
        assert self.serving(database) == best


def test_a_person_is_shown_the_figures_of_both(database: Db) -> None:
    strategy = {"return": 0.123, "sharpe": 1.5, "max_drawdown": -0.08, "trades": 210}
    figures = {**metrics(0.02), "brier": 0.6123, "mcc": None, "backtest": {"strategy": strategy}}
    champion = promote_model(database, 0, metrics=metrics(0.01))
    challenger = add_model(database, 1, metrics=figures, fit=True, reasons=("passed: 210 trades, wanted 30",))
    found = newest_challenge(database, "BTCUSDT")
    assert found is not None
    subject, body = approval_request(found)
    assert subject == f"Promote {challenger}?"
    for line in (
        f"| version | {champion} | {challenger} |",
        "| beats the baselines | **no** | yes |",
        "| log-loss skill | +0.0100 | +0.0200 |",
        "| Brier score | - | 0.6123 |",
        "| MCC | - | - |",
        "| return, net of costs | - | +12.3% |",
        "| trades | - | 210 |",
        "- passed: 210 trades, wanted 30",
    ):
        assert line in body.splitlines()
    assert found.decision.reason in body
