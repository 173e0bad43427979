"""FreqAI's own XGBoostClassifier on given folds: a program for an environment that holds freqtrade.

Reads the Feather files of a folder, one a pair: ``date``, features (``%-...``), the label (``&-...``),
and a column a fold that says what a row is: 1 learned from, 2 predicted, 0 neither. Trains and
predicts as FreqAI's backtesting does, and ends with one line of JSON: when the folds began and ended,
by the system's monotonic clock, and the processor's seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.prediction_models.XGBoostClassifier import XGBoostClassifier
from freqtrade.freqai.utils import get_tb_logger

TRAIN, TEST = 1, 2


def main() -> None:
    """Train on each fold of each file of the folder named; print when that began and ended, and its cost."""
    folder = Path(sys.argv[1])
    files = sorted(folder.glob("*.feather"))
    config = configuration(folder, [file.stem for file in files])
    model = XGBoostClassifier(config)
    frames = {file.stem: pd.read_feather(file) for file in files}
    began, used = time.monotonic(), time.process_time()
    for pair, frame in frames.items():
        folds = [name for name in frame.columns if name.startswith("fold")]
        rows = frame.drop(columns=folds)
        for fold in folds:
            train, test = (rows[frame[fold] == part].reset_index(drop=True) for part in (TRAIN, TEST))
            predicted = trained(model, config, f"{pair}/USDT", train, test)
            if len(predicted) != len(test):
                raise RuntimeError(f"{pair}: {len(predicted)} predictions of {len(test)} rows")
    print()
    print(json.dumps({"began": began, "ended": time.monotonic(), "cpu_s": time.process_time() - used}))


def trained(
    model: XGBoostClassifier, config: dict, pair: str, train: pd.DataFrame, test: pd.DataFrame
) -> pd.Series:
    """Return the labels predicted for ``test``, after training on ``train``, as in a backtest."""
    kitchen = FreqaiDataKitchen(config, pair=pair)
    kitchen.set_paths(pair, int(train["date"].iloc[-1].timestamp()))
    kitchen.get_unique_classes_from_labels(train)
    kitchen.find_features(train)
    kitchen.find_labels(train)
    model.tb_logger = get_tb_logger(model.dd.model_type, kitchen.data_path, activate=False)
    model.model = model.train(train, pair, kitchen)
    predicted, _ = model.predict(test, kitchen)
    return predicted["&-label"]


def configuration(folder: Path, symbols: list[str]) -> dict:
    """Return the least that FreqAI asks for, with the numbers of its own documentation's example."""
    return {
        "timeframe": "15m",
        "timerange": "20240401-20240501",
        "user_data_dir": folder,
        "config_files": [str(folder / "config.json")],
        "exchange": {"name": "binance", "pair_whitelist": [f"{symbol}/USDT" for symbol in symbols]},
        "freqai": {
            "enabled": True,
            "identifier": "benchmark",
            "train_period_days": 30,
            "backtest_period_days": 7,
            "save_backtest_models": False,
            "feature_parameters": {
                "include_timeframes": ["15m"],
                "include_corr_pairlist": [],
                "label_period_candles": 16,
                "include_shifted_candles": 0,
                "indicator_periods_candles": [],
                "shuffle_after_split": False,
            },
            "data_split_parameters": {"test_size": 0.25},
            "model_training_parameters": {"n_estimators": 100},
        },
    }


if __name__ == "__main__":
    main()
