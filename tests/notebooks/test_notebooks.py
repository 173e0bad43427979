"""Each notebook runs from top to bottom on a real MongoDB, and is committed as source alone."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from cryptobot.settings import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]


def run(path: Path, folder: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    monkeypatch.setenv("CRYPTOBOT_MONGO_DATABASE", database)
    return papermill.execute_notebook(
        path,
        folder / path.name,
        parameters={"figures": str(folder)},
        cwd=path.parent,
        progress_bar=False,
        log_output=False,
        start_timeout=120,
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_runs_from_top_to_bottom_and_draws_its_figures(
    path: Path, market: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run(path, tmp_path, market, monkeypatch)
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    said = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert said == []  # a warning that nobody reads is one too many
    wanted = {name for cell in made.cells for name in re.findall(r'FIGURES / "(\w+\.png)"', cell.source)}
    drawn = {figure.name: figure.stat().st_size for figure in tmp_path.glob("*.png")}
    assert drawn.keys() == wanted
    assert min(drawn.values()) > 10_000
    conclusions = made.cells[-1].outputs[-1].data["text/markdown"]
    assert conclusions.startswith("- **")
    assert "nan" not in conclusions


@pytest.mark.slow
def test_without_data_a_notebook_says_what_to_do(
    kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PapermillExecutionError, match=r"no 15m candles of .* in MongoDB; start the product"):
        run(ROOT / "notebooks" / "exploration.ipynb", tmp_path, "test_no_such", monkeypatch)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_is_committed_without_outputs_and_reads_through_the_product(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count] == []
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.id for cell in notebook.cells if re.fullmatch(r"[0-9a-f]{6,}", cell.id)] == []
    assert [cell.metadata.tags for cell in code if "tags" in cell.metadata] == [["parameters"]]
    source = "\n".join(cell.source for cell in code)
    assert not re.search(r"pymongo|gridfs|database\[", source)


def test_there_are_four() -> None:
    assert NAMES == ["alert_review", "exploration", "features_and_labels", "prototype"]
