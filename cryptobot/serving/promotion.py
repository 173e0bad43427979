"""Promotion: whether a challenger is to serve instead of the champion, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.storage.candle_pages import last_open_time
from cryptobot.storage.database import Document

MARGIN = 0.001
"""Log-loss skill by which a challenger must be ahead: less is noise, and a swap is not free."""

MOST_MISCALIBRATED = 0.03
"""Expected calibration error, beyond what chance makes of a calibrated model, that is borne: the gate's."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to promote, and the reason, which is recorded either way."""

    promote: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenger's manifest, the champion's if there is one, and what was decided between them."""

    challenger: Document
    champion: Document | None
    decision: Decision


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person has said to a promotion; ``by`` is ``None`` when nobody answered in time."""

    approved: bool
    by: str | None
    note: str = ""

    def told(self, reason: str) -> str:
        """Return the reason that is recorded: who said what, of what the gate had found."""
        said = (
            f"{'approved' if self.approved else 'refused'} by {self.by}" if self.by else "nobody approved it"
        )
        return f"{said}{f' ({self.note})' if self.note else ''}: {reason}"


def decide_promotion(
    champion: Document | None,
    challenger: Document,
    max_age: timedelta = timedelta.max,
    known: datetime | None = None,
) -> Decision:
    """Hold a challenger's manifest against the champion's.

    The first model of a symbol is promoted so that there is something to serve. After that a
    challenger that has expired itself is not: its training ended more than ``max_age`` before
    ``known``, the newest candle. Any other is where the champion was quarantined, or has expired
    and gives no signals any more, whatever its skill was.

    Of two that can serve, a challenger must know of what the champion does, and be calibrated; a
    model that beats the baselines (``fit``) goes before one that does not; and among equals the
    challenger must be ahead on the newest window, as :func:`_judge_side_by_side` says.
    """
    known = known or challenger["window"]["end"]
    if challenger["state"] == "quarantined":
        return Decision(False, f"it is quarantined: {challenger['quarantine_reason']}")
    if (returned := challenger.get("rolled_back_at")) is not None:
        return Decision(False, f"it was rolled back on {returned:%Y-%m-%d %H:%M}; promote it by hand")
    if champion is None:
        return Decision(True, f"first model of {challenger['symbol']}")
    if (until := _expired(challenger, known, max_age)) is not None:
        return Decision(False, f"it has expired itself: trained until {until:%Y-%m-%d}")
    if champion["state"] == "quarantined":
        return Decision(True, f"the champion is quarantined: {champion['quarantine_reason']}")
    if (until := _expired(champion, known, max_age)) is not None:
        return Decision(True, f"the champion has expired: trained until {until:%Y-%m-%d}")
    if challenger["window"]["end"] < champion["window"]["end"]:
        return Decision(False, f"the champion knows more: until {champion['window']['end']:%Y-%m-%d}")
    if (error := _miscalibration(challenger)) > MOST_MISCALIBRATED:
        return Decision(
            False,
            f"not calibrated: its probabilities are off by {error:.1%} beyond chance, "
            f"at most {MOST_MISCALIBRATED:.0%} is borne",
        )
    if challenger["fit"] != champion["fit"]:
        better, worse = ("challenger", "champion") if challenger["fit"] else ("champion", "challenger")
        return Decision(challenger["fit"], f"the {better} beats the baselines, the {worse} does not")
    return _judge_side_by_side(champion, challenger)


def _judge_side_by_side(champion: Document, challenger: Document) -> Decision:
    """Decide by log loss: better than the base rates, and than the champion by :data:`MARGIN`.

    Where both were scored on the same candles, new to both, those tell, and the margin must be
    beyond one standard error too. Else each model's own test windows do: skill, ``1 - log loss /
    log loss of the base rates``, is comparable between periods.
    """
    compared = challenger.get("comparison")
    if compared and compared["champion"] == champion["_id"]:
        losses = compared["log_loss"]
        base = losses["base_rates"]
        own, theirs = 1 - losses["challenger"] / base, 1 - losses["champion"] / base
        ahead, error = compared["gain"] / base, compared["error"] / base
        where = f"on the {compared['rows']} candles until {compared['to']:%Y-%m-%d} that are new to both"
    else:
        own, theirs, error = skill(challenger), skill(champion), 0.0
        ahead, where = own - theirs, "each on its own test windows"
    figures = f"skill {own:+.4f} against the champion's {theirs:+.4f}, {where}"
    if ahead < MARGIN:
        return Decision(False, f"not better by {MARGIN}: {figures}")
    if own <= 0:
        return Decision(False, f"no better than the base rates: {figures}")
    if ahead <= error:
        return Decision(False, f"better by less than the standard error of {error:.4f}: {figures}")
    return Decision(True, f"better out of sample: {figures}")


def skill(manifest: Document) -> float:
    """Return the share of the base rates' log loss that the model saves; above 0 is better than they."""
    metrics = manifest["metrics"]
    return float(1 - metrics["log_loss"] / metrics["log_loss_baseline"])


def _expired(manifest: Document, known: datetime, max_age: timedelta) -> datetime | None:
    """Return until when the model was trained, if that is too long before ``known``."""
    end: datetime = manifest["window"]["end"]
    return end if max_age < timedelta.max and known - end > max_age else None


def _miscalibration(manifest: Document) -> float:
    metrics = manifest["metrics"]
    return float(metrics.get("calibration_error", 0) - metrics.get("calibration_error_by_chance", 0))


def newest_challenge(
    database: Database[Document], symbol: str, max_age: timedelta = timedelta.max
) -> Challenge | None:
    """Return the symbol's newest challenger and what is to become of it; ``None`` without any."""
    challenger = registry.newest_challenger(database, symbol)
    return _weigh(database, challenger, max_age) if challenger else None


def _weigh(database: Database[Document], challenger: Document, max_age: timedelta) -> Challenge:
    symbol = challenger["symbol"]
    pointer = registry.champion(database, symbol)
    champion = registry.model(database, pointer["version"]) if pointer else None
    known = last_open_time(database, symbol, challenger["interval"])
    return Challenge(challenger, champion, decide_promotion(champion, challenger, max_age, known))


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
    return {
        symbol: settle_unasked(database, symbol, newest_challenge(database, symbol, max_age))
        for symbol in symbols
    }


def settle_unasked(database: Database[Document], symbol: str, found: Challenge | None) -> Document:
    """Act on what was decided of ``found``, without a person's word, and record it."""
    if found is None:
        return {"promoted": False, "version": None, "reason": f"{symbol} has no new model"}
    return _settle(database, found, None)


def settle_answered(
    database: Database[Document], version: str, answer: Answer, max_age: timedelta = timedelta.max
) -> Document:
    """Act on what a person has said to the challenger ``version``, and record it.

    An approval adds to the gate and does not go round it: what happened since the person was asked
    (another champion, a quarantine) is taken into account. Returns what
    :func:`promote_challengers` does for a symbol.
    """
    found = _weigh(database, registry.model(database, version), max_age)
    return _settle(database, found, answer)


def _settle(database: Database[Document], found: Challenge, answer: Answer | None) -> Document:
    version, decision = found.challenger["_id"], found.decision
    if found.champion and found.champion["_id"] == version:  # a task that was interrupted is tried again
        decision = Decision(True, "it serves already")
    promote = decision.promote and (answer is None or answer.approved)
    reason = answer.told(decision.reason) if answer else decision.reason
    if promote:
        registry.promote(database, found.challenger["symbol"], version, reason)
    by = answer.by if answer and answer.approved == promote else None  # the gate's word, or the person's
    registry.record_verdict(database, version, promote, reason, by=by)
    return {"promoted": promote, "version": version, "reason": reason}
