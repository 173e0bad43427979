"""The report's pages: Great Expectations' own content in templates that need no other server.

The library's templates load styles, scripts and pictures from public hosts; here every page carries
its own, so that it looks the same on a machine without Internet access.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, PackageLoader

from expectations.result import worst

OUTCOMES = {None: "passed", "info": "notes", "warning": "warnings", "critical": "blocked"}
"""What the first page says of a run, by its gravest failure."""


class ResultPage(DefaultJinjaPageView):
    """The result of one asset in one run."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        theirs = [self.env.loader] if self.env.loader else []
        self.env.loader = ChoiceLoader([PackageLoader("expectations", "templates"), *theirs])

    def render(self, document: Any, template: str | None = None, **kwargs: Any) -> str:
        """Return the page without the line for the asset's name, which the library leaves as "None"."""
        return str(super().render(document, template, **kwargs)).replace("Data asset: None<br>", "")


class IndexPage(ResultPage):
    """The first page: every result that is kept in ``results_dir``, newest first."""

    _template = "index_page.j2"

    def __init__(self, results_dir: str, **directories: Any) -> None:
        super().__init__(**directories)
        self._results = Path(results_dir)

    def render(self, document: Any, template: str | None = None, **kwargs: Any) -> str:
        """Return the page, made of the results themselves: they alone know how grave a failure is."""
        runs = sorted(self._runs(), key=lambda run: (run["time"], run["asset"]), reverse=True)
        return str(self.env.get_template(self._template).render(runs=runs))

    def _runs(self) -> Iterator[dict[str, str]]:
        for path in self._results.glob("*/*/*/*.json"):
            found = orjson.loads(path.read_bytes())
            failed = [
                item["expectation_config"]["severity"] for item in found["results"] if not item["success"]
            ]
            page = path.relative_to(self._results).with_suffix(".html")
            yield {
                "outcome": OUTCOMES[worst(failed)],
                "asset": found["meta"]["active_batch_definition"]["data_asset_name"],
                "suite": found["suite_name"],
                "time": found["meta"]["run_id"]["run_time"][:19].replace("T", " "),
                "address": quote(f"validations/{page.as_posix()}"),
            }
