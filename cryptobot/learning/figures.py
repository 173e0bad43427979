"""Figures of a backtest, drawn from its record alone: ``python -m cryptobot.learning.figures``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError

from cryptobot.settings import ROOT, settings
from cryptobot.storage import backtests
from cryptobot.storage.database import Document, connect

STYLE = ROOT / "notebooks" / "figures.mplstyle"
FOLDER = ROOT / "reports" / "figures"

_FEATURES = 15
_COLORS = {"sell": "C1", "hold": "C2", "buy": "C0"}


def capital(axes: Axes, backtest: Document) -> None:
    """Draw what a capital of one became by the signals, and by buying and holding."""
    curves, metrics = backtest["curves"], backtest["metrics"]
    axes.plot(curves["open_time"], curves["strategy"], color="C0", label="following the signals")
    axes.plot(curves["open_time"], curves["buy_and_hold"], color="C2", label="buy and hold")
    axes.axhline(1, color="C2", linewidth=0.8, linestyle=":")
    sharpe = metrics["backtest"]["strategy"]["sharpe"]
    axes.set_title(
        f"Capital net of costs, out of sample: Sharpe ratio {sharpe:.2f} a year, "
        f"no luck with a probability of {backtest['deflated_sharpe']:.1%}"
    )
    axes.set_ylabel("capital")
    axes.legend()


def reliability(axes: Axes, backtest: Document) -> None:
    """Draw how often each class came, by the probability that was given to it."""
    axes.plot([0, 1], [0, 1], color="C2", linewidth=0.8, linestyle=":")
    most = max(bin["rows"] for bins in backtest["calibration"].values() for bin in bins)
    for name, bins in backtest["calibration"].items():
        predicted, observed = ([bin[field] for bin in bins] for field in ("predicted", "observed"))
        axes.plot(predicted, observed, color=_COLORS[name], label=name)
        sizes = [6 + 114 * bin["rows"] / most for bin in bins]
        axes.scatter(predicted, observed, s=sizes, color=_COLORS[name], zorder=3)
    error = backtest["metrics"]["calibration_error"]
    axes.set_title(f"Reliability: off by {error:.3f} on average; the larger a point, the more candles")
    axes.set(xlabel="probability given", ylabel="share that came", xlim=(0, 1), ylim=(0, 1))
    axes.legend()


def importance(axes: Axes, backtest: Document) -> None:
    """Draw the most important features, the greatest on top, with their deviation between folds."""
    shown = backtest["importance"][:_FEATURES][::-1]
    names, mean, deviation = ([each[field] for each in shown] for field in ("feature", "mean", "deviation"))
    axes.barh(names, mean, xerr=deviation, color="C0", ecolor="C2")
    axes.axvline(0, color="C2", linewidth=0.8)
    axes.set_title(f"The {len(shown)} most important features of {len(backtest['importance'])}")
    axes.set_xlabel("rise of the log loss when shuffled, test folds")


def learning_curve(axes: Axes, backtest: Document) -> None:
    """Draw the log loss by how many labels were learned from."""
    rows, losses = ([point[field] for point in backtest["learning_curve"]] for field in ("rows", "log_loss"))
    axes.semilogx(rows, losses, marker="o", color="C0")
    axes.set_xticks(rows, [f"{count:,}" for count in rows])
    axes.minorticks_off()
    axes.set_title("Learning curve: the newest labels before the last test fold")
    axes.set(xlabel="labels learned from", ylabel="log loss before calibration")


def profiles(axes: Axes, backtest: Document) -> None:
    """Draw what each risk profile and each baseline earned, and the deepest fall on the way."""
    performances = {
        **{f"{name}\nprofile": figures for name, figures in backtest["profiles"].items()},
        "all of the\ncapital": backtest["metrics"]["backtest"]["strategy"],
        **{name: backtest["metrics"]["backtest"][name] for name in ("momentum", "buy_and_hold")},
    }
    names = [name.replace("_", " ") for name in performances]
    for side, (field, color, label) in enumerate(
        (("return", "C0", "return"), ("max_drawdown", "C1", "deepest fall"))
    ):
        places = [place + 0.38 * (side - 0.5) for place in range(len(names))]
        axes.bar(
            places, [figures[field] for figures in performances.values()], 0.36, color=color, label=label
        )
    axes.set_xticks(range(len(names)), names)
    axes.axhline(0, color="C2", linewidth=0.8)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(visible=False, axis="x")
    axes.set_title("Return and deepest fall, net of costs, out of sample")
    axes.legend()


PANELS: dict[str, Callable[[Axes, Document], None]] = {
    "capital": capital,
    "reliability": reliability,
    "importance": importance,
    "learning_curve": learning_curve,
    "profiles": profiles,
}


def figure(backtest: Document, panel: str) -> Figure:
    """Return one of :data:`PANELS` of a document of ``backtests`` as a figure of its own."""
    with mpl.rc_context(fname=STYLE):
        drawn = Figure()
        drawn.suptitle(f"{backtest['_id']} ({backtest['algorithm']})")
        PANELS[panel](drawn.subplots(), backtest)
    return drawn


def draw(backtest: Document, folder: Path) -> list[Path]:
    """Write all figures of a document of ``backtests`` as PNG into ``folder`` and return their paths.

    They are named by symbol: those of the symbol's next version replace them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for panel in PANELS:
        paths.append(folder / f"backtest_{backtest['symbol']}_{panel}.png")
        with mpl.rc_context(fname=STYLE):
            figure(backtest, panel).savefig(paths[-1])
    return paths


def draw_newest(
    database: Database[Document], symbols: Iterable[str], folder: Path
) -> tuple[list[Path], list[str]]:
    """Draw the newest backtest of each symbol; return the figures' paths, and the symbols without one."""
    paths, missing = [], []
    for symbol in symbols:
        found = next((each for each in backtests.newest(database, symbol) if "curves" in each), None)
        if found is None:
            missing.append(symbol)
        else:
            paths += draw(found, folder)
    return paths, missing


def main(argv: Sequence[str] | None = None) -> int:
    """Draw from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="figures", description=__doc__)
    parser.add_argument("--symbols", help="comma separated; those that are watched, unless given")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"{FOLDER} unless given")
    arguments = parser.parse_args(argv)
    config = settings()
    symbols = arguments.symbols.split(",") if arguments.symbols else config.symbols
    database = connect(config)
    try:
        paths, missing = draw_newest(database, symbols, arguments.folder)
    except PyMongoError as error:
        away = isinstance(error, ConnectionFailure)
        told = "does not answer, is the product up?" if away else "refuses, see CRYPTOBOT_MONGO_URI:"
        print(f"figures failed: MongoDB {told} ({error})", file=sys.stderr)
        return 1
    finally:
        database.client.close()
    for path in paths:
        print(path)
    if missing:
        print(f"figures: no backtest to draw of {', '.join(missing)}; run the DAG `models`", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
