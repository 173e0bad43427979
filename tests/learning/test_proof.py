"""The proof that edges are found where there are some, and only there.

On the exchange's synthetic market, with the algorithms, the search, the evaluation and the gate
that the product learns with.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from cryptobot.learning.algorithms import RANDOM_FOREST, XGBOOST
from cryptobot.learning.evaluation import MEAN
from cryptobot.learning.gate import Verdict, judge
from tests.learning.synthetic import evaluations, judged, synthetic

pytestmark = pytest.mark.slow

SEEDS = range(10)
Verdicts = dict[str, Verdict]


@pytest.fixture(scope="module")
def without_signal() -> Iterator[dict[int, Future[Verdicts]]]:
    """The verdicts by seed, made on both cores."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield {seed: pool.submit(judged, 2_500, 0.0, seed) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_signal_no_model_passes(without_signal: dict[int, Future[Verdicts]], seed: int) -> None:
    verdicts = without_signal[seed].result()
    assert verdicts.keys() == {RANDOM_FOREST, XGBOOST, MEAN}
    for name, verdict in verdicts.items():
        assert not verdict.fit, name
        # Not for want of trades alone: what was earned is no more than luck.
        assert any(reason.startswith("failed: that this is no luck") for reason in verdict.reasons), name


def test_a_planted_signal_is_found_and_passes() -> None:
    found = evaluations(synthetic(5_000, strength=6.0, seed=0))
    best = min(found.values(), key=lambda evaluation: evaluation.metrics["log_loss"])
    verdict = judge(best)
    assert verdict.fit, verdict.reasons
    assert best.metrics["auc_direction"] > 0.7
    assert all(figures.net_return > 0 for figures in best.profiles.values())
