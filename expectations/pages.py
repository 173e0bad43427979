"""The report's pages: Great Expectations' own content in templates that need no other server.

The library's templates load styles, scripts and pictures from five public hosts; here every page
carries its own, so that it looks the same on a machine without Internet access.
"""

from __future__ import annotations

from typing import Any

from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, PackageLoader


class ResultPage(DefaultJinjaPageView):
    """The result of one asset in one run."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        theirs = [self.env.loader] if self.env.loader else []
        self.env.loader = ChoiceLoader([PackageLoader("expectations", "templates"), *theirs])


class IndexPage(ResultPage):
    """The first page: every run that is kept, newest first."""

    _template = "index_page.j2"
