"""Promotion: whether a challenger is to serve instead of the champion, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.storage.database import Document

MARGIN = 0.001
"""Log-loss skill by which a challenger must be ahead: less is noise, and a swap is not free."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to promote, and the reason, which is recorded either way."""

    promote: bool
    reason: str


def decide_promotion(
    champion: Document | None, challenger: Document, max_age: timedelta = timedelta.max
) -> Decision:
    """Hold a challenger's manifest against the champion's.

    The first model of a symbol is promoted so that there is something to serve. After that a
    model that beats the baselines (``fit``) goes before one that does not, and among equals the
    one with more skill out of sample, by :data:`MARGIN`. Skill is ``1 - log loss / log loss of
    the base rates``, each on the model's own test windows: comparable between periods. A champion
    whose training ended more than ``max_age`` before the challenger's gives no signals any more, and
    goes whatever its skill was.
    """
    if champion is None:
        return Decision(True, f"first model of {challenger['symbol']}")
    if champion["state"] == "quarantined":
        return Decision(True, f"the champion is quarantined: {champion['quarantine_reason']}")
    if max_age < timedelta.max and challenger["window"]["end"] - champion["window"]["end"] > max_age:
        return Decision(True, f"the champion has expired: trained until {champion['window']['end']:%Y-%m-%d}")
    if challenger["fit"] != champion["fit"]:
        better, worse = ("challenger", "champion") if challenger["fit"] else ("champion", "challenger")
        return Decision(challenger["fit"], f"the {better} beats the baselines, the {worse} does not")
    ahead = skill(challenger) - skill(champion)
    figures = f"skill {skill(challenger):+.4f} against the champion's {skill(champion):+.4f}"
    if ahead < MARGIN:
        return Decision(False, f"not better by {MARGIN}: {figures}")
    return Decision(True, f"better out of sample: {figures}")


def skill(manifest: Document) -> float:
    """Return the share of the base rates' log loss that the model saves; above 0 is better than they."""
    metrics = manifest["metrics"]
    return float(1 - metrics["log_loss"] / metrics["log_loss_baseline"])


def promote_challengers(
    database: Database[Document], symbols: Iterable[str], max_age: timedelta = timedelta.max
) -> dict[str, Document]:
    """Decide on the newest challenger of each symbol, act on it and record the reason.

    ``max_age`` is for how long after its training a model is used.

    Returns
    -------
    dict
        For each symbol ``promoted``, ``version`` (of the challenger; ``None`` without one) and ``reason``.
    """
    return {symbol: _settle(database, symbol, max_age) for symbol in symbols}


def _settle(database: Database[Document], symbol: str, max_age: timedelta) -> Document:
    challenger = registry.newest_challenger(database, symbol)
    if challenger is None:
        return {"promoted": False, "version": None, "reason": f"{symbol} has no new model"}
    pointer = registry.champion(database, symbol)
    champion = registry.model(database, pointer["version"]) if pointer else None
    decision = decide_promotion(champion, challenger, max_age)
    if decision.promote:
        registry.promote(database, symbol, challenger["_id"], decision.reason)
    registry.record_verdict(database, challenger["_id"], decision.promote, decision.reason)
    return {"promoted": decision.promote, "version": challenger["_id"], "reason": decision.reason}
