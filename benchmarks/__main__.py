"""``python -m benchmarks [NAME]``: measure what is promised; without a name, all but the long ones."""

from __future__ import annotations

import importlib
import signal
import sys

from benchmarks.figures import save, show

NAMES = ("startup", "exchange", "historical", "streaming", "training", "serving", "reload")
"""Benchmarks in the order in which they run, each a module with ``run() -> list[Figure]``."""
LONG = ("soak",)
"""Benchmarks that run only when they are named."""


def main() -> None:
    """Run the named benchmarks, print their tables and write their result files.

    A SIGTERM ends them as Ctrl-C does: what they started is stopped.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = sys.argv[1:] or list(NAMES)
    if unknown := [name for name in wanted if name not in NAMES + LONG]:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES + LONG)}")
    for name in wanted:
        figures = importlib.import_module(f"benchmarks.{name}").run()
        show(name, figures)
        print(save(name, figures))


if __name__ == "__main__":
    main()
