"""Training: the whole job on a year of two pairs, and its boosted trees beside FreqAI's on the same folds."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from pydantic import SecretStr

from benchmarks import freqai
from benchmarks.figures import Figure
from benchmarks.programs import Finished, watch
from benchmarks.submission import submission
from cryptobot.features import FEATURE_SET, compute
from cryptobot.learning.algorithms import ALGORITHMS, XGBOOST
from cryptobot.learning.dataset import FOLDS, Dataset, make_dataset
from cryptobot.market import Interval
from cryptobot.settings import Settings
from cryptobot.spark.submission import java_options
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from cryptobot.storage.job_reports import find_report
from infra.local import mongod
from tests.exchange.environments import EnvironmentUnavailableError
from tests.learning.planted import planted
from tests.servers import free_port, running
from tests.spark_jobs.market import store_candles, store_features

CANDLES = int(os.environ.get("BENCH_CANDLES", "35000"))
"""How many candles of each pair; fewer make a quicker, rougher measurement."""

_PAIRS = {"BTCUSDT": "ETHUSDT", "ETHUSDT": "BTCUSDT"}
_INTERVAL = Interval.MINUTE_15
_SIGNAL = 0.1
_ROUNDS = 2
_datasets: dict[str, Dataset] = {}


def run() -> list[Figure]:
    """Measure the job, and then both trainers in turn, of which the better round counts."""
    candles = {symbol: planted(CANDLES, _SIGNAL, seed) for seed, symbol in enumerate(_PAIRS)}
    features = {
        symbol: compute(candles[symbol], candles[other], _INTERVAL) for symbol, other in _PAIRS.items()
    }
    seconds, job, report = _job(candles, features)
    print(f"the job: {seconds:.1f} s, {report['fits']} fits", flush=True)
    return [
        Figure("train_minutes", round(seconds / 60, 2), "min", "lower", must=8, aim=4),
        Figure("train_fit_s", round(report["fit_seconds"], 1), "s", "lower"),
        Figure("train_memory_mb", round(job.usage.peak_mb), "MiB", "lower"),
        *_beside_freqai(_made(candles, features)),
    ]


def _job(
    candles: Mapping[str, pd.DataFrame], features: Mapping[str, pd.DataFrame]
) -> tuple[float, Finished, Document]:
    """Return the seconds of the job from its submission to its end, what was seen of it, its report."""
    with _database() as settings:
        database = connect(settings)
        ensure_collections(database)
        for symbol, frame in candles.items():
            store_candles(database, symbol, _INTERVAL.value, frame)
            store_features(database, symbol, _INTERVAL.value, features[symbol].set_index(frame["open_time"]))
        as_of = candles["BTCUSDT"]["close_time"].iloc[-1] + timedelta(seconds=1)
        report_id = f"benchmark-{uuid.uuid4().hex[:8]}"
        command, environment = submission(
            settings,
            java_options(CANDLES),
            "models",
            *("--symbols", ",".join(_PAIRS), "--interval", _INTERVAL.value),
            *("--as-of", as_of.isoformat(), "--report", report_id),
        )
        began = time.perf_counter()
        finished = watch(command, environment)
        seconds = time.perf_counter() - began
        report = find_report(database, report_id)
    if report is None or len(report["challengers"]) != len(_PAIRS):
        raise RuntimeError(f"the job made no challenger of each pair:\n{finished.text[-3_000:]}")
    return seconds, finished, report


@contextlib.contextmanager
def _database() -> Iterator[Settings]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cryptobot-training-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        with running(
            mongod.command(port, folder / "data"),
            ready=lambda: mongod.initiate(port),
            log=folder / "mongod.log",
        ):
            yield Settings(_env_file=None, mongo_uri=SecretStr(mongod.uri(port)), mongo_database="training")


def _made(candles: Mapping[str, pd.DataFrame], features: Mapping[str, pd.DataFrame]) -> dict[str, Dataset]:
    made = {}
    for symbol, frame in candles.items():
        timed = features[symbol].assign(open_time=frame["open_time"])
        made[symbol] = make_dataset(symbol, _INTERVAL, frame, timed, FEATURE_SET.names)
    return made


def _beside_freqai(datasets: dict[str, Dataset]) -> list[Figure]:
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        ours.append(_folds(datasets))
        try:
            with tempfile.TemporaryDirectory(prefix="cryptobot-freqai-") as folder:
                theirs.append(freqai.train(datasets, Path(folder)))
        except EnvironmentUnavailableError as error:
            print(f"without FreqAI: {error}", flush=True)
            break
        print(f"all folds: {ours[-1].seconds:.1f} s, FreqAI {theirs[-1].seconds:.1f} s", flush=True)
    own, own_cpu = (min(getattr(spent, name) for spent in ours) for name in ("seconds", "cpu_s"))
    figures = [
        Figure("folds_s", round(own, 1), "s", "lower"),
        Figure("folds_cpu_s", round(own_cpu, 1), "s", "lower"),
    ]
    if not theirs:
        return figures
    peer, peer_cpu = (min(getattr(spent, name) for spent in theirs) for name in ("seconds", "cpu_s"))
    return [
        Figure("ratio_freqai", round(peer / own, 2), "x", "higher", must=1, aim=2),
        Figure("folds_s", round(own, 1), "s", "lower", peer=freqai.NAME, peer_value=round(peer, 1)),
        Figure(
            "folds_cpu_s", round(own_cpu, 1), "s", "lower", peer=freqai.NAME, peer_value=round(peer_cpu, 1)
        ),
    ]


def _folds(datasets: dict[str, Dataset]) -> freqai.Spent:
    """Return what the boosted trees of all folds take, search and prediction included, a core each."""
    tasks = [(symbol, fold) for fold in reversed(range(FOLDS)) for symbol in datasets]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _keep, (datasets,)) as pool:
        spent = list(pool.map(_fold, tasks))
    begins, ends, cpu_s = zip(*spent, strict=True)
    return freqai.Spent(max(ends) - min(begins), sum(cpu_s))


def _keep(datasets: dict[str, Dataset]) -> None:
    _datasets.update(datasets)


def _fold(task: tuple[str, int]) -> tuple[float, float, float]:
    """Search, fit and predict one fold; return when it began and ended, and the processor's seconds."""
    symbol, number = task
    dataset, made = _datasets[symbol], ALGORITHMS[XGBOOST]
    fold = dataset.folds[number]
    began, used = time.monotonic(), time.process_time()
    made.fit(dataset, fold.train).predict_proba(dataset.rows[fold.test])
    return began, time.monotonic(), time.process_time() - used
