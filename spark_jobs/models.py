"""Job: a random forest and XGBoost per symbol, ``features`` + ``historical_data`` -> challengers.

One Spark task for each symbol, algorithm and fold, and for each final fit. The best candidate of a
symbol by out-of-sample log loss is packed, signed and registered with the record of its backtest.

One symbol's failure does not stop the others: it is named on standard error and in the report.
Exits non-zero only when no symbol has a challenger.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
from py4j.protocol import Py4JError
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.errors import PySparkException

from cryptobot.features import FEATURE_SET, other_symbol
from cryptobot.learning.algorithms import ALGORITHMS
from cryptobot.learning.dataset import FOLDS, Dataset, TooLittleHistoryError, make_dataset
from cryptobot.learning.diagnosis import diagnose
from cryptobot.learning.evaluation import MEAN, best_candidate
from cryptobot.learning.gate import judge
from cryptobot.learning.search import trials
from cryptobot.market.instant import EPOCH, from_ms, parse_instant, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.serving.backtest_record import backtest_document
from cryptobot.serving.comparison import compare_with_champion
from cryptobot.serving.manifest import Manifest
from cryptobot.serving.packing import pack
from cryptobot.serving.registry import add_challenger
from cryptobot.settings import Settings, settings
from cryptobot.spark.failure import cause_of
from cryptobot.spark.session import spark_session
from cryptobot.storage import backtests, candles, features
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from cryptobot.storage.job_reports import save_report
from spark_jobs.fits import FINAL, Fit, fit_side_by_side

JOB = "models"


def load_dataset(database: Database[Document], symbol: str, interval: Interval, as_of: datetime) -> Dataset:
    """Return the symbol's labelled candles, of all that had closed at ``as_of``."""
    end = from_ms(interval.floor(to_ms(as_of)))
    span = Span(symbol, interval, EPOCH, end)
    frame = pd.DataFrame(list(candles.documents(database, span)))
    if frame.empty:
        raise TooLittleHistoryError(
            f"{symbol} {interval}: no candles before {end.isoformat()}; fetch history first"
        )
    computed = features.load(database, span, FEATURE_SET)
    return make_dataset(symbol, interval, frame, computed, FEATURE_SET.names)


def register(
    database: Database[Document], dataset: Dataset, fits: Sequence[Fit], as_of: datetime, settings: Settings
) -> Manifest:
    """Evaluate the symbol's candidates, and store the best as a challenger with its backtest."""
    made = {(fit.task.algorithm, fit.task.fold): fit.result for fit in fits}
    folds = {name: [made[name, fold] for fold in range(FOLDS)] for name in ALGORITHMS}
    finals = {name: made[name, FINAL] for name in ALGORITHMS}
    evaluation, log_losses = best_candidate(
        dataset,
        {name: [fit.probabilities for fit in made_of] for name, made_of in folds.items()},
        trials=trials(final.search for final in finals.values()),
    )
    members = folds if evaluation.algorithm == MEAN else {evaluation.algorithm: folds[evaluation.algorithm]}
    manifest, bundle = pack(
        dataset,
        evaluation,
        judge(evaluation),
        log_losses,
        finals,
        other_symbol=other_symbol(dataset.symbol, settings.symbols),
        as_of=as_of,
        key=settings.bundle_key,
    )
    backtest = backtest_document(manifest, evaluation, diagnose(dataset, members))
    add_challenger(database, manifest.document(), bundle)
    backtests.save(database, backtest)
    compare_with_champion(database, dataset, evaluation, manifest.version, settings.bundle_key)
    return manifest


def load_datasets(
    database: Database[Document], symbols: Sequence[str], interval: Interval, as_of: datetime
) -> tuple[dict[str, Dataset], dict[str, str]]:
    """Return the data sets of the symbols that can be learned from, and why the others cannot."""
    datasets, failures = {}, {}
    for symbol in symbols:
        try:
            datasets[symbol] = load_dataset(database, symbol, interval, as_of)
        except PyMongoError:
            raise  # no symbol can be read
        except ValueError as error:
            failures[symbol] = cause_of(error)
        except Exception as error:  # nobody foresaw it; the other symbols go on
            failures[symbol] = f"{symbol} {interval}: {type(error).__name__}: {cause_of(error)}"
    return datasets, failures


def register_all(
    database: Database[Document],
    datasets: dict[str, Dataset],
    fits: Sequence[Fit],
    as_of: datetime,
    settings: Settings,
) -> tuple[dict[str, Document], dict[str, str]]:
    """Return the summary of each symbol's challenger, and why the others have none."""
    challengers, failures = {}, {}
    for symbol, dataset in datasets.items():
        own = [fit for fit in fits if fit.task.symbol == symbol]
        error = next((fit.error for fit in own if fit.error), None)
        if error is None:
            try:
                challengers[symbol] = summary(register(database, dataset, own, as_of, settings))
                continue
            except Exception as failed:  # the other symbols go on
                error = cause_of(failed)
        failures[symbol] = f"{symbol} {dataset.interval}: {error}"
    return challengers, failures


def run(
    symbols: Sequence[str], interval: Interval, as_of: datetime, report_id: str, settings: Settings
) -> Document:
    """Train, evaluate and register every symbol that can be, and store and return the report."""
    started_at = datetime.now(UTC)
    database = connect(settings)
    ensure_collections(database)
    datasets, unready = load_datasets(database, symbols, interval, as_of)
    fits: list[Fit] = []
    if datasets:
        spark = spark_session(JOB, settings)
        try:
            fits = fit_side_by_side(spark, datasets)
        finally:
            spark.stop()
    challengers, failed = register_all(database, datasets, fits, as_of, settings)
    finished_at = datetime.now(UTC)
    report = {
        "_id": report_id,
        "job": JOB,
        "interval": interval.value,
        "as_of": as_of,
        "challengers": challengers,
        "failures": unready | failed,
        "rows": sum(dataset.candles for dataset in datasets.values()),
        "fits": len(fits),
        "fit_seconds": sum(fit.seconds for fit in fits),
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_s": (finished_at - started_at).total_seconds(),
    }
    save_report(database, report)
    return report


def summary(manifest: Manifest) -> Document:
    """Return what the report tells of a challenger; plain JSON values."""
    names = ("log_loss", "log_loss_baseline", "brier", "auc", "auc_direction", "mcc")
    return {
        "version": manifest.version,
        "sha256": manifest.sha256,
        "algorithm": manifest.algorithm,
        "fit": manifest.fit,
        "reasons": list(manifest.reasons),
        **{name: manifest.metrics[name] for name in names},
        "net_return": manifest.metrics["backtest"]["strategy"]["return"],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog=JOB, description=__doc__)
    parser.add_argument("--symbols", required=True, help="comma separated")
    parser.add_argument("--interval", required=True, help="such as 15m")
    parser.add_argument(
        "--as-of", required=True, type=parse_instant, help="learn from candles closed by then, ISO"
    )
    parser.add_argument("--report", required=True, help="id of the report in job_reports")
    arguments = parser.parse_args(argv)
    symbols = arguments.symbols.split(",")
    try:
        report = run(symbols, Interval(arguments.interval), arguments.as_of, arguments.report, settings())
    except (PyMongoError, PySparkException, Py4JError, ValueError) as error:
        print(f"{JOB} failed: {cause_of(error)}", file=sys.stderr)
        return 1
    for failure in report["failures"].values():
        print(f"{JOB}: no challenger: {failure}", file=sys.stderr)
    if not report["challengers"]:
        print(f"{JOB} failed: {'; '.join(report['failures'].values())}", file=sys.stderr)
        return 1
    for symbol, made in report["challengers"].items():
        print(f"{JOB}: {symbol}: {made['version']} ({made['algorithm']}, fit: {made['fit']})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
