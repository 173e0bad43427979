"""How long `make run` takes on a machine that has the packages: to healthy, and to a served champion.

Measured on an installation of its own (free ports, empty state), so that a running product stays.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from cryptobot.settings import ROOT
from tests.e2e.product import Product

HEALTHY = "services are healthy"


def run() -> list[Figure]:
    """Run ``make run`` from an empty state on the synthetic market and return both times."""
    with tempfile.TemporaryDirectory(prefix="cryptobot-startup-") as folder:
        product = Product.below(Path(folder))
        try:
            healthy_s, champion_s = _timed(product)
        finally:
            product.command("stop")
    return [
        Figure("healthy_s", round(healthy_s, 1), "s", "lower", must=150, aim=60),
        Figure("champion_s", round(champion_s, 1), "s", "lower", must=480, aim=240),
    ]


def _timed(product: Product) -> tuple[float, float]:
    began, healthy_s, printed = time.monotonic(), None, []
    with subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=dict(product.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as make:
        for line in make.stdout or ():
            printed.append(line)
            if HEALTHY in line and healthy_s is None:
                healthy_s = time.monotonic() - began
    if make.returncode or healthy_s is None:
        raise RuntimeError(f"make run ended with {make.returncode}:\n{''.join(printed[-20:])}")
    return healthy_s, time.monotonic() - began
