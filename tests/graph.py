"""A small graph to run in a test: two markets, two seeds, a strategy, a fresh embedded home.

A `Graph` is a home with its persistent instance; `Graph.run` runs a job, ``research`` by default,
as Dagster does. Opening an instance and a first run cost seconds: both are made once a session and
copied. Homes lie in memory where the system has a place for that: Dagster's SQLite files sync at
every event, and no test here is about a power cut. How they are asked stands in
tests/dagster_files.py.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import numba

import engine.jit  # noqa: F401 - settles where this session's kernels lie, before any home could
from contracts.scenario import ScenarioSpec, scenario_from
from contracts.strategy import StrategySpec, strategy_from
from islandflow_assets.partitions import Partition, range_tags
from islandflow_jobs import registration
from islandflow_jobs.instance import open_instance
from islandflow_resources.process_environment import process_environment
from islandflow_resources.resource_set import ResourceSet
from tests.dagster_files import connections_kept

KERNELS = Path(str(numba.config.CACHE_DIR)).parent
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SEEDS = (1, 2)

CALM = {
    "id": "calm",
    "version": "0.1",
    "timeframe": "1m",
    "duration_bars": 160,
    "seed": 1,
    "family": "trend",
    "params": {"drift": 0.4, "sigma": 5},
    "volume_model": "lognormal",
}
MOODY = CALM | {
    "id": "moody",
    "duration_bars": 240,
    "family": "regime_switch",
    "params": {
        "regimes": [{"drift": 4, "sigma": 10}, {"drift": -6, "sigma": 30}],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
    },
}
SINKING = CALM | {"id": "sinking", "start_price": 2.0, "params": {"drift": -500, "sigma": 5}}
"""A valid market whose price falls below one tick."""
CROSSOVER = {
    "id": "crossover",
    "name": "Crossover",
    "version": "0.1",
    "timeframe": "1m",
    "rules": [
        {"if": "crossover(ma(close, 3), ma(close, 9))", "then": "buy"},
        {"if": "crossunder(ma(close, 3), ma(close, 9))", "then": "sell"},
    ],
    "params": {},
    "risk": {"sizing": {"type": "percent_equity", "percent": 100}},
}


def market(document: Mapping[str, Any], **changes: Any) -> ScenarioSpec:
    """A scenario like `document`, with some fields changed."""
    return scenario_from({**document, **changes})


def strategy(**changes: Any) -> StrategySpec:
    """The crossover, with some fields changed."""
    return strategy_from({**CROSSOVER, **changes})


@dataclass(frozen=True)
class Run:
    """One finished run, with what it left in the instance."""

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance

    @property
    def success(self) -> bool:
        """Whether Dagster calls the run a success."""
        return self.result.success

    @cached_property
    def events(self) -> list[dg.DagsterEvent]:
        """Every event of the run that the instance holds."""
        entries = self.instance.all_logs(self.result.run_id)
        return [entry.dagster_event for entry in entries if entry.dagster_event]

    @property
    def said(self) -> str:
        """What the failed steps said."""
        failed = [event.step_failure_data.error for event in self.events if event.is_step_failure]
        return "\n".join(str(error) for error in failed)

    def materialised(self, asset: str) -> dict[str, dg.AssetMaterialization]:
        """Materialisations of an asset by partition; fails if a partition has two."""
        found: dict[str, dg.AssetMaterialization] = {}
        for event in self.events:
            if event.is_step_materialization and event.asset_key == dg.AssetKey(asset):
                one = event.step_materialization_data.materialization
                assert str(one.partition) not in found
                found[str(one.partition)] = one
        return found

    def metadata(self, asset: str, name: str) -> dict[str, Any]:
        """One metadata value of an asset by partition."""
        materialised = self.materialised(asset)
        return {key: one.metadata[name].value for key, one in materialised.items()}

    def check(self, name: str) -> Any:
        """The one evaluation of a check in this run."""
        [found] = [
            one for one in self.result.get_asset_check_evaluations() if one.check_name == name
        ]
        return found

    def failures(self, name: str) -> dict[str, str]:
        """Codes of a failed check's table by partition."""
        records = self.check(name).metadata["failures"].records
        return {record.data["partition"]: record.data["code"] for record in records}


@dataclass(frozen=True)
class Graph:
    """A home, its resources and its instance."""

    resources: ResourceSet
    instance: dg.DagsterInstance

    @property
    def scenario_keys(self) -> list[str]:
        """Registered scenarios in the order of registration."""
        return list(self.instance.get_dynamic_partitions("scenario"))

    @property
    def cells(self) -> list[str]:
        """Every cell of the grid, as events name them."""
        seeds = self.instance.get_dynamic_partitions("seed")
        return sorted(f"{key}|{seed}" for key in self.scenario_keys for seed in seeds)

    def register(self, *specs: ScenarioSpec, seeds: Sequence[int] = ()) -> list[str]:
        """Register scenarios; returns their keys."""
        done = registration.register_scenarios(self.resources.database, self.instance, specs)
        registration.add_seeds(self.instance, seeds)
        return [one.key for one in done]

    def run(
        self,
        first: Partition | None = None,
        last: Partition | None = None,
        *,
        job: str = "research",
        definitions: dg.Definitions | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Run:
        """Run a job over the box between two cells, or over the whole grid."""
        if definitions is None:
            from islandflow_jobs.definitions import defs as definitions
        seeds = [int(seed) for seed in self.instance.get_dynamic_partitions("seed")]
        first = first or Partition(self.scenario_keys[0], seeds[0])
        last = last or Partition(self.scenario_keys[-1], seeds[-1])
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            tags=range_tags(first, last),
            run_config={**QUIET, **(config or {})},
            raise_on_error=False,
        )
        return Run(result, self.instance)

    def run_one(self, cell: Partition) -> Run:
        """Run ``research`` for one cell, as a click on a partition does."""
        from islandflow_jobs.definitions import defs

        result = defs.resolve_job_def("research").execute_in_process(
            instance=self.instance,
            partition_key=cell.key,
            run_config=QUIET,
            raise_on_error=False,
        )
        return Run(result, self.instance)

    def objects(self) -> dict[str, bytes]:
        """Every object of the store with its bytes."""
        store = self.resources.store
        return {key: store.get(key) for key in store.keys("")}

    def rows(self) -> tuple[int, int]:
        """How many artefacts and results the database holds."""
        database = self.resources.database
        return len(database.artefacts()), len(database.results())


@contextmanager
def open_graph(home: Path) -> Iterator[Graph]:
    """The graph of a home, with this process's environment pointing to it meanwhile."""
    resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(home)})
    link_kernels(home)
    with ExitStack() as stack:
        stack.enter_context(connections_kept(home))
        stack.enter_context(_environment(process_environment(resources.settings)))
        instance = stack.enter_context(open_instance(resources.settings))
        stack.callback(resources.database.dispose)
        yield Graph(resources, instance)


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where the system offers it."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="islandflow-", dir=place) as folder:
        yield Path(folder)


@contextmanager
def graph_of(template: Path) -> Iterator[Graph]:
    """A graph on a copy of a home."""
    with fast_folder() as folder:
        home = folder / "home"
        shutil.copytree(template, home, symlinks=True)
        with open_graph(home) as graph:
            yield graph


@cache
def registered_home() -> Path:
    """A home where two markets, two seeds and a strategy are registered; copy it."""
    home = _kept_folder() / "home"
    with open_graph(home) as graph:
        graph.register(market(CALM), market(MOODY), seeds=SEEDS)
        registration.register_strategy(graph.resources.database, strategy())
    return home


@cache
def finished_home() -> Path:
    """As `registered_home`, after one run over the whole grid; copy it."""
    home = _kept_folder() / "home"
    shutil.copytree(registered_home(), home, symlinks=True)
    with open_graph(home) as graph:
        run = graph.run()
        assert run.success, run.said
    return home


def link_kernels(home: Path) -> None:
    """Let processes of this home use the session's compiled kernels."""
    home.mkdir(parents=True, exist_ok=True)
    KERNELS.mkdir(parents=True, exist_ok=True)
    if not (home / "kernels").exists():
        (home / "kernels").symlink_to(KERNELS)


def write_json(path: Path, document: Any) -> Path:
    """Write a document and return its path."""
    path.write_text(json.dumps(document), "utf-8")
    return path


def _kept_folder() -> Path:
    """A folder that lives as long as the session."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(fast_folder())


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
