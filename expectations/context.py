"""The Great Expectations context of one run, and the report (Data Docs) that outlives it.

The context is in memory and of one run; only results and pages are on disk. One run at a time
builds them: whoever comes second waits for the lock.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import great_expectations as gx
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)

from cryptobot.settings import Settings
from expectations import history
from expectations.history import RUNS_KEPT

SITE = "quality"
_VIEWS = "expectations.pages"


def results_dir(settings: Settings) -> Path:
    """Return where results are kept for the report's history: beside the pages, not among them."""
    return settings.docs_dir.with_name(f"{settings.docs_dir.name}_results")


@contextmanager
def one_run(settings: Settings) -> Iterator[AbstractDataContext]:
    """Yield a context of this run alone, once no other run is at work."""
    results = results_dir(settings)
    results.mkdir(parents=True, exist_ok=True)
    settings.docs_dir.mkdir(parents=True, exist_ok=True)
    with (results / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield gx.get_context(mode="ephemeral", project_config=_config(settings.docs_dir, results))


def prune(settings: Settings, keep: int = RUNS_KEPT) -> None:
    """Remove all but the newest ``keep`` results of each suite, with their pages."""
    history.prune(results_dir(settings), settings.docs_dir / "validations", keep=keep)


def _config(docs: Path, results: Path) -> DataContextConfig:
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        data_docs_sites={
            SITE: {
                "class_name": "SiteBuilder",
                "site_name": "Data quality",
                "show_how_to_buttons": False,
                "store_backend": _folder(docs),
                "site_index_builder": {
                    "class_name": "DefaultSiteIndexBuilder",
                    "view": {"module_name": _VIEWS, "class_name": "IndexPage", "results_dir": str(results)},
                },
                "site_section_builders": {
                    "expectations": "None",
                    "profiling": "None",
                    "validations": {
                        "class_name": "DefaultSiteSectionBuilder",
                        "source_store_name": "validation_results_store",
                        "renderer": {"module_name": _VIEWS, "class_name": "ResultItself"},
                        "view": {"module_name": _VIEWS, "class_name": "ResultPage"},
                    },
                },
            }
        },
    )
    config.stores["validation_results_store"] = {
        "class_name": "ValidationResultsStore",
        "store_backend": _folder(results),
    }
    return config


def _folder(path: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(path.resolve())}
