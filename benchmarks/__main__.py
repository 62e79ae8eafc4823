"""Run every benchmark and rewrite ``RESULTS.md``: ``make bench``."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = (
    *("dagster", "numba", "numpy", "pyarrow", "arch"),
    *("vectorbt", "backtesting", "backtrader"),
)


def main() -> None:
    """Settle the kernel cache, then run the parts in order."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ISLANDFLOW_HOME"] = home
        from islandflow_resources.resource_set import ResourceSet

        ResourceSet.from_environment().engine_runtime.prepare()
        from benchmarks import (
            backtest,
            books,
            campaigns,
            datasets,
            flow,
            graph,
            market_tapes,
            montecarlo,
            overfitting,
            paths,
            serving,
            signals,
            tiers,
        )

        kernels = (paths, backtest, montecarlo, overfitting)
        live = (books, market_tapes, flow, signals, serving)
        sections = [part.run() for part in (*kernels, tiers, datasets, *live, graph, campaigns)]
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    head = (
        "# Benchmarks\n\n"
        "Written by `make bench`: medians unless said otherwise, one run, parity before any "
        "clock. Ratios\n"
        "hold when the machine is noisy, absolute times do not.\n\n"
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{libraries}.\n"
    )
    RESULTS.write_text("\n".join([head, *sections]), "utf-8")
    sys.stdout.write(RESULTS.read_text("utf-8"))


if __name__ == "__main__":
    main()
