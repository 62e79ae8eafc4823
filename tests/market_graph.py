"""A graph with synthetic markets to run in a test: three symbols, ten minutes, registered.

`Markets` adds to tests/graph.py what the jobs over tapes of the market need. Making a tape takes a
second once its kernels are compiled, a compilation much longer.
"""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from contracts.control import patched
from contracts.tape import TapeProfile
from islandflow_assets.partitions import MarketCell, range_tags
from islandflow_jobs import registration
from islandflow_jobs.control_sensors import follow_control
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.market_tapes import MarketRef
from islandflow_resources.tape_requests import TapeRequest, registered_tape
from tests.graph import QUIET, Graph, Run, fast_folder, graph_of, open_graph, registered_home
from tests.islandflow_resources.small_markets import profile

SEEDS = (1, 2)


class Markets:
    """Synthetic markets in a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @property
    def objects(self) -> Path:
        """Folder of the store."""
        return self.graph.resources.store.root  # type: ignore[attr-defined]

    @property
    def control(self) -> ControlLogStore:
        """The control log of the deployment."""
        return ControlLogStore(self.graph.resources.database)

    def partitions(self, dimension: str = "market") -> list[str]:
        """Registered partitions."""
        return list(self.graph.instance.get_dynamic_partitions(dimension))

    def register(self, *profiles: TapeProfile, seeds: Sequence[int] = ()) -> list[str]:
        """Register profiles; returns the keys of what they mean."""
        resources, instance = self.graph.resources, self.graph.instance
        requests = [TapeRequest(one, tuple(seeds)) for one in profiles]
        store, database = resources.store, resources.database
        return [
            one.key for one in registration.register_markets(store, database, instance, requests)
        ]

    def ref(self, cell: MarketCell) -> MarketRef:
        """Address of the tape of a cell."""
        resources = self.graph.resources
        tape = registered_tape(resources.store, resources.database, cell.market_key)
        return MarketRef(tape, cell.seed)

    def save(self, effective_ns: int, **changes: Any) -> int:
        """Save a change of the control; returns the revision."""
        last = self.control.current()
        saved = self.control.save(
            patched(last.control, changes),
            expected_revision=last.revision,
            effective_ns=effective_ns,
            updated_by="a test",
        )
        return saved.revision

    def tick(self, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
        """What `follow_control` decides now."""
        context = dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=cursor,
            resources={"database": self.graph.resources.database},
        )
        found = follow_control(context)
        assert isinstance(found, dg.SensorResult | dg.SkipReason)
        return found

    def run(
        self, first: MarketCell, last: MarketCell | None = None, *, only: Sequence[str] = ()
    ) -> Run:
        """Run ``market_tapes``, or some of its assets, over a box of cells or one, as a click."""
        if last is None:
            return self._run("market_tapes", partition_key=first.key, only=only)
        return self._run("market_tapes", tags=range_tags(first, last), only=only)

    def detect(
        self, first: MarketCell, last: MarketCell | None = None, *, only: Sequence[str] = ()
    ) -> Run:
        """Run ``smart_flow``, or some of its assets, over a box of cells or one."""
        if last is None:
            return self._run("smart_flow", partition_key=first.key, only=only)
        return self._run("smart_flow", tags=range_tags(first, last), only=only)

    def run_control(self) -> Run:
        """Run ``control``."""
        return self._run("control")

    def follow(self, request: dg.RunRequest) -> Run:
        """Run what a sensor has asked for, its partitions added before."""
        assert request.job_name is not None
        return self._run(request.job_name, tags=dict(request.tags))

    def _run(
        self,
        job: str,
        *,
        partition_key: Any = None,
        tags: Any = None,
        only: Sequence[str] = (),
    ) -> Run:
        from islandflow_jobs.definitions import defs

        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.graph.instance,
            partition_key=partition_key,
            tags=tags,
            run_config=QUIET,
            asset_selection=[dg.AssetKey(name) for name in only] or None,
            raise_on_error=False,
        )
        return Run(result, self.graph.instance)


@contextmanager
def markets_graph() -> Iterator[Markets]:
    """Synthetic markets in a fresh embedded home."""
    with graph_of(registered_home()) as graph:
        yield Markets(graph)


@cache
def made_home() -> Path:
    """A home in which a small market has been made with two seeds; copy it, see `made_graph`."""
    stack = ExitStack()
    atexit.register(stack.close)
    home = stack.enter_context(fast_folder()) / "home"
    shutil.copytree(registered_home(), home, symlinks=True)
    with open_graph(home) as graph:
        markets = Markets(graph)
        [key] = markets.register(profile(), seeds=SEEDS)
        run = markets.run(MarketCell(key, SEEDS[0]), MarketCell(key, SEEDS[-1]))
        assert run.success, run.said
    return home


@contextmanager
def made_graph() -> Iterator[Markets]:
    """A copy of `made_home`."""
    with graph_of(made_home()) as graph:
        yield Markets(graph)
