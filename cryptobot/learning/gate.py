"""The gate: whether a model may be called fit, with the reasons either way."""

from __future__ import annotations

from dataclasses import dataclass

from cryptobot.learning.evaluation import Evaluation

LEAST_GAIN = 0.002
LEAST_ERRORS = 2.0
LEAST_TRADES = 30
LEAST_FOLDS_SHARE = 0.75
MOST_CALIBRATION_ERROR = 0.03
"""By which probabilities may be off, beyond what chance does to as few rows."""
LEAST_DEFLATED_SHARPE = 0.95


@dataclass(frozen=True)
class Verdict:
    """Fit only if every condition holds; ``reasons`` names each with its figures."""

    fit: bool
    reasons: tuple[str, ...]


def judge(evaluation: Evaluation) -> Verdict:
    """Judge a model by its out-of-sample figures, all of them net of costs.

    Fit is a model whose probabilities beat the base rates overall and on most folds and mean
    what they say, that tells buys from sells beyond chance (volatility alone, which says only
    that *something* will happen, is no edge), and whose signals earn more for their risk than
    staying out, momentum, and buy and hold: so much more than nothing that the best of as many
    models without an edge as were tried would hardly earn it.
    """
    metrics, strategy = evaluation.metrics, evaluation.strategy
    gain = 1 - metrics["log_loss"] / metrics["log_loss_baseline"]
    won = sum(fold > 0 for fold in evaluation.fold_gains)
    auc, error = metrics["auc_direction"] or 0.5, metrics["auc_direction_error"]
    bound = MOST_CALIBRATION_ERROR + metrics["calibration_error_by_chance"]
    best_name, best = max(evaluation.baselines.items(), key=lambda item: item[1].sharpe)
    conditions = [
        (
            gain >= LEAST_GAIN,
            f"log loss {metrics['log_loss']:.4f} against {metrics['log_loss_baseline']:.4f} "
            f"of the base rates: {gain:+.2%}, wanted {LEAST_GAIN:+.2%}",
        ),
        (
            won >= LEAST_FOLDS_SHARE * len(evaluation.fold_gains),
            f"better than the base rates on {won} of {len(evaluation.fold_gains)} folds",
        ),
        (
            auc >= 0.5 + LEAST_ERRORS * error,
            f"tells buys from sells with AUC {auc:.3f}, wanted {0.5 + LEAST_ERRORS * error:.3f}",
        ),
        (
            metrics["calibration_error"] <= bound,
            f"probabilities off by {metrics['calibration_error']:.3f} on average, wanted at most {bound:.3f}",
        ),
        (strategy.trades >= LEAST_TRADES, f"{strategy.trades} trades, wanted {LEAST_TRADES}"),
        (
            strategy.net_return > 0 and strategy.sharpe > best.sharpe,
            f"earned {strategy.net_return:+.1%} net of costs at a Sharpe ratio of {strategy.sharpe:.2f}, "
            f"best baseline {best_name} {best.sharpe:.2f}",
        ),
        (
            metrics["deflated_sharpe"] >= LEAST_DEFLATED_SHARPE,
            f"that this is no luck has a probability of {metrics['deflated_sharpe']:.3f} (deflated Sharpe "
            f"ratio), wanted {LEAST_DEFLATED_SHARPE}",
        ),
    ]
    reasons = tuple(f"{'passed' if held else 'failed'}: {text}" for held, text in conditions)
    return Verdict(all(held for held, _ in conditions), reasons)
