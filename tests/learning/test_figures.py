"""Figures of a backtest, drawn from its record in MongoDB."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymongo.database import Database

from cryptobot.learning import figures
from cryptobot.settings import Settings
from cryptobot.storage import backtests
from cryptobot.storage.database import Document
from tests.serving.recorded_backtest import judged

PANELS = {"capital", "reliability", "importance", "learning_curve", "profiles"}


def test_a_command_draws_the_newest_backtests(
    database: Database[Document],
    app_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, document = judged()
    backtests.save(database, document)
    monkeypatch.setattr(figures, "settings", lambda: app_settings)
    assert figures.main(["--symbols", "BTCUSDT", "--folder", str(tmp_path)]) == 0
    expected = {tmp_path / f"backtest_BTCUSDT_{panel}.png" for panel in PANELS}
    assert set(tmp_path.iterdir()) == expected == {Path(line) for line in capsys.readouterr().out.split()}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in expected)

    assert figures.main(["--folder", str(tmp_path)]) == 1  # the other symbol that is watched has none
    assert capsys.readouterr().err == "figures: no backtest to draw of ETHUSDT; run the DAG `models`\n"


def test_a_figure_shows_the_record_s_own_values() -> None:
    _, document = judged()
    (axes,) = figures.figure(document, "capital").axes
    strategy, held, _ = axes.lines
    assert strategy.get_ydata().tolist() == document["curves"]["strategy"]
    assert held.get_ydata().tolist() == document["curves"]["buy_and_hold"]
    (axes,) = figures.figure(document, "importance").axes
    bars = [bar.get_width() for bar in axes.patches]
    assert bars == [each["mean"] for each in document["importance"][:15]][::-1]
    (axes,) = figures.figure(document, "learning_curve").axes
    assert axes.lines[0].get_xdata().tolist() == [point["rows"] for point in document["learning_curve"]]
