"""Every kernel that the journeys need, compiled once for all their processes.

``python -m tests.journeys.kernels FOLDER`` fills a folder, which homes then link to: compiling
takes longer than all journeys together. That a home compiles for itself is shown by the tests of
``islandflow_resources.engine_runtime`` and by ``ci_entry``.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from contracts.backtest import SETTINGS
from contracts.document import validate
from contracts.scenario import load_scenario
from contracts.strategy import load_strategy
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.folder_store import FolderStore
from tests.journeys import children


def main() -> None:
    """Fill the folder that the command line names."""
    folder = Path(sys.argv[1])
    EngineRuntime(threads=1, memory_mb=256, kernel_home=folder).prepare()
    load(folder)


def load(folder: Path) -> None:
    """Call every kernel in this process; the first one to do so compiles, others wait for it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _use_every_kernel(folder / "objects")
        (folder / "compiled").touch()


def compiled(folder: Path) -> Path:
    """`folder`, once every kernel is in it."""
    if not (folder / "compiled").exists():
        command = [sys.executable, "-m", "tests.journeys.kernels", str(folder)]
        children.run(command, children.embedded(folder)).expect()
    return folder


def link(home: Path, folder: Path) -> Path:
    """Make a home that finds its kernels in `folder`."""
    home.mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    os.symlink(folder, home / "kernels")
    return home


def _use_every_kernel(objects: Path) -> None:
    """Make, read back, audit and backtest every scenario fixture in a store at `objects`."""
    from engine import backtest, dsl, paths
    from islandflow_resources import datasets, materialise, results

    store = FolderStore(objects)
    strategy = load_strategy(children.STRATEGY.read_bytes())
    program = dsl.compile_strategy(strategy)
    settings = validate(SETTINGS, {}, "settings")
    wanted = backtest.Evaluation(program, strategy.risk, settings, 0, keep_curves=True)
    for path in sorted((children.FIXTURES / "scenarios").glob("*.json")):
        spec = load_scenario(path.read_bytes())
        ref = materialise.dataset_ref(spec, 1)
        dataset = datasets.publish(store, ref, paths.simulate(spec, 1), {})
        stored = datasets.read(store, ref)
        paths.audit(spec, 1, datasets.to_bars(stored.table))
        data = results.to_dataset(stored.table, spec)
        [outcome] = backtest.run([data], [wanted])
        made = results.ResultRef(strategy, program, settings, dataset.manifest, spec)
        results.audit(results.publish(store, made, outcome, data), data)


if __name__ == "__main__":
    main()
