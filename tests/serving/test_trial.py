"""Models are tried where a bad one hurts nobody."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from cryptobot.features import FEATURE_SET
from cryptobot.serving.trial import BundleUnloadableError, Trial, TrialUnfinishedError
from tests.serving.bad_bundles import ENDLESS, graph
from tests.serving.bundles import forest_onnx

ROWS = np.ones((3, len(FEATURE_SET.names)), np.float32)


@pytest.fixture
def trial() -> Iterator[Trial]:
    made = Trial(cpu_seconds=1)
    yield made
    made.close()


def process(trial: Trial) -> psutil.Process:
    assert trial._process is not None
    return psutil.Process(trial._process.pid)


def test_a_good_model_passes_and_the_process_stays_for_the_next(trial: Trial) -> None:
    trial.run([forest_onnx(0), forest_onnx(1)], ROWS)
    first = process(trial).pid
    trial.run([graph(10)], ROWS)
    assert process(trial).pid == first


def test_an_endless_model_is_ended_and_the_next_one_is_tried_anew(trial: Trial) -> None:
    with pytest.raises(BundleUnloadableError, match="more than 1 s of processor time"):
        trial.run([graph(ENDLESS)], ROWS)
    trial.run([forest_onnx()], ROWS)


def test_a_model_that_wants_more_memory_than_there_may_be_is_refused(trial: Trial) -> None:
    with pytest.raises(BundleUnloadableError, match=r"cannot be loaded.*memory"):
        trial.run([graph(1, floats=2**31)], ROWS)


@pytest.mark.parametrize(
    ("signum", "error", "words"),
    [
        (signal.SIGSEGV, BundleUnloadableError, "ends the process: SIGSEGV"),
        (signal.SIGKILL, TrialUnfinishedError, "before its time"),
    ],
)
def test_a_crash_is_the_models_fault_a_kill_is_not(
    trial: Trial, signum: int, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.run([forest_onnx()], ROWS)
    stopped = process(trial)
    stopped.suspend()  # so that it is at work, and not done, when the signal comes
    os.kill(stopped.pid, signum)
    # The process may have gone before the model is sent; a new one must not take its place unasked.
    monkeypatch.setattr(trial, "_ready", lambda ready=trial._process: ready)
    stopped.resume()
    with pytest.raises(error, match=words):
        trial.run([forest_onnx()], ROWS)


def test_nothing_is_left_when_it_is_closed(trial: Trial) -> None:
    trial.run([forest_onnx()], ROWS)
    ended = process(trial)
    trial.close()
    assert not ended.is_running()


def test_a_process_that_takes_nothing_is_ended_and_says_nothing_of_the_model() -> None:
    trial = Trial(cpu_seconds=1, wait_seconds=0.5)
    trial.run([graph(1)], ROWS)
    stopped = process(trial)
    stopped.suspend()
    with pytest.raises(TrialUnfinishedError, match="before its time"):
        trial.run([b"more than a pipe holds" * 10_000], ROWS)
    assert not stopped.is_running()
    trial.close()


def test_none_is_begun_once_it_was_closed(trial: Trial) -> None:
    trial.close()
    with pytest.raises(TrialUnfinishedError, match="stopping"):
        trial.run([forest_onnx()], ROWS)
    assert trial._process is None
