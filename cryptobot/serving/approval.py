"""What a person who is to approve a promotion is shown: both models' figures, side by side."""

from __future__ import annotations

from collections.abc import Callable

from cryptobot.serving.promotion import Challenge, skill
from cryptobot.storage.database import Document

_Cell = Callable[[Document], str]


def _metric(name: str, form: str) -> _Cell:
    def told(manifest: Document) -> str:
        value = manifest["metrics"].get(name)
        return "-" if value is None else format(value, form)

    return told


def _earned(name: str, form: str) -> _Cell:
    def told(manifest: Document) -> str:
        value = manifest["metrics"].get("backtest", {}).get("strategy", {}).get(name)
        return "-" if value is None else format(value, form)

    return told


_ROWS: tuple[tuple[str, _Cell], ...] = (
    ("algorithm", lambda manifest: str(manifest["algorithm"])),
    ("trained until", lambda manifest: f"{manifest['window']['end']:%Y-%m-%d %H:%M}"),
    ("beats the baselines", lambda manifest: "yes" if manifest["fit"] else "**no**"),
    ("log-loss skill", lambda manifest: f"{skill(manifest):+.4f}"),
    ("Brier score", _metric("brier", ".4f")),
    ("AUC, buys from sells", _metric("auc_direction", ".3f")),
    ("MCC", _metric("mcc", ".3f")),
    ("calibration error", _metric("calibration_error", ".3f")),
    ("deflated Sharpe", _metric("deflated_sharpe", ".2f")),
    ("return, net of costs", _earned("return", "+.1%")),
    ("Sharpe", _earned("sharpe", ".2f")),
    ("max drawdown", _earned("max_drawdown", ".1%")),
    ("trades", _earned("trades", "d")),
)
"""What is shown of each model: everything out of sample."""


def approval_request(found: Challenge) -> tuple[str, str]:
    """Return the subject and the body, in Markdown, of the question whether to promote."""
    challenger, champion = found.challenger, found.champion
    shown = [champion, challenger] if champion else [challenger]
    names = ["champion", "challenger"] if champion else ["challenger"]
    lines = [
        f"The gate would promote **{challenger['_id']}**: {found.decision.reason}.",
        "",
        f"| out of sample | {' | '.join(names)} |",
        f"| --- |{' --- |' * len(names)}",
        f"| version | {' | '.join(str(manifest['_id']) for manifest in shown)} |",
        *(f"| {name} | {' | '.join(cell(manifest) for manifest in shown)} |" for name, cell in _ROWS),
        "",
        *(f"- {reason}" for reason in challenger.get("reasons", ())),
        "",
        "Approve: it serves as soon as the API's workers have loaded it. Reject: the champion serves on, "
        "and this version is not proposed again.",
    ]
    return f"Promote {challenger['_id']}?", "\n".join(lines)
