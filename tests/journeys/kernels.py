"""Every kernel that the journeys need, compiled once for all processes of all tests.

Homes link to `SHARED`, where the tests' own processes have their kernels: compiling takes longer
than all journeys together. That a home compiles for itself is shown by the tests of
``islandflow_resources.engine_runtime`` and by ``ci_entry``.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from contracts.backtest import BacktestSettings
from contracts.scenario import load_scenario
from contracts.strategy import load_strategy
from islandflow_resources.folder_store import FolderStore
from tests.journeys import children

# Where `engine.jit` puts them unless a home says otherwise.
SHARED = Path(
    os.environ.get("NUMBA_CACHE_DIR") or children.ROOT / "engine" / "__pycache__" / "kernels"
)


def load() -> None:
    """Call every kernel in this process; the first one to do so compiles, others wait for it."""
    SHARED.mkdir(parents=True, exist_ok=True)
    with (SHARED / "lock").open("w") as lock, tempfile.TemporaryDirectory() as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _use_every_kernel(Path(folder) / "objects")
        _use_kernels_of_campaigns(Path(folder) / "campaign")


def link(home: Path) -> Path:
    """Make a home that finds its kernels in `SHARED`."""
    home.mkdir(parents=True)
    SHARED.mkdir(parents=True, exist_ok=True)
    os.symlink(SHARED, home / "kernels")
    return home


def _use_every_kernel(objects: Path) -> None:
    """Make, read back, audit and backtest every scenario fixture in a store at `objects`."""
    from engine import backtest, dsl, paths
    from islandflow_resources import datasets, materialise, results
    from islandflow_resources.backtest_data import BacktestData

    store = FolderStore(objects)
    strategy = load_strategy(children.STRATEGY.read_bytes())
    program = dsl.compile_strategy(strategy)
    for path in sorted((children.FIXTURES / "scenarios").glob("*.json")):
        spec = load_scenario(path.read_bytes())
        ref = materialise.dataset_ref(spec, 1)
        dataset = datasets.publish(store, ref, paths.simulate(spec, 1), {})
        stored = datasets.read(store, ref)
        paths.audit(spec, 1, datasets.to_bars(stored.table))
        data = BacktestData.of_dataset(stored.table, spec, dataset.manifest.content_digest)
        ref = results.ResultRef(strategy, program, BacktestSettings(), data)
        [outcome] = backtest.run([data.bars], [results.evaluation(ref)])
        results.publish(store, ref, outcome)


def _use_kernels_of_campaigns(folder: Path) -> None:
    """Run a tiny campaign up to the verdict on its winner."""
    # Imported here: it settles where kernels lie, unless that is done.
    from tests.islandflow_resources.campaigning import Home

    home = Home.embedded(folder)
    campaign = home.ready()
    home.trials(campaign)
    home.judged(campaign)
    home.database.dispose()
