"""A graph with synthetic markets to run in a test: three symbols, ten minutes, registered.

`Markets` adds to tests/graph.py what the jobs over tapes of the market need. Making a tape takes a
second once its kernels are compiled, a compilation the better part of a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from contracts.control import SECOND_NS, SyntheticControlState, patched
from contracts.tape import TapeProfile, profile_from
from contracts.tape_defaults import default_profile
from islandflow_assets.partitions import MarketCell, range_tags
from islandflow_jobs import registration
from islandflow_jobs.control_sensors import follow_control
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.market_tapes import MarketRef
from islandflow_resources.tape_requests import TapeRequest, registered_tape
from tests.graph import QUIET, Graph, Run, graph_of, registered_home

SYMBOLS = 3
SECONDS = 600
DEPLOYED = {"log": "deployment"}


def profile(*, symbols: int = SYMBOLS, seconds: int = SECONDS, **changes: Any) -> TapeProfile:
    """A small profile; with ``control=DEPLOYED`` it follows the log of the deployment."""
    document = default_profile(symbols).model_dump(mode="json")
    document["session"]["duration_s"] = seconds
    return profile_from({**document, "id": "small", **changes})


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

    def keys(self, dimension: str = "market") -> list[str]:
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
        self, first: MarketCell, last: MarketCell | None = None, *, job: str = "market_tapes"
    ) -> Run:
        """Run a job over the box between two cells, or one cell as a click does."""
        if last is None:
            return self._run(job, partition_key=first.key)
        return self._run(job, tags=range_tags(first, last))

    def follow(self, request: dg.RunRequest) -> Run:
        """Run what a sensor has asked for, its partitions added before."""
        assert request.job_name is not None
        return self._run(request.job_name, tags=dict(request.tags))

    def _run(self, job: str, *, partition_key: Any = None, tags: Any = None) -> Run:
        from islandflow_jobs.definitions import defs

        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.graph.instance,
            partition_key=partition_key,
            tags=tags,
            run_config=QUIET,
            raise_on_error=False,
        )
        return Run(result, self.graph.instance)


@contextmanager
def markets_graph() -> Iterator[Markets]:
    """Synthetic markets in a fresh embedded home."""
    with graph_of(registered_home()) as graph:
        yield Markets(graph)


def start_ns(one: TapeProfile) -> int:
    """Start of a profile's tape, nanoseconds."""
    from islandflow_resources.tape_specs import resolve

    return resolve(one, SOME_LOG).start_ns


def later(one: TapeProfile, seconds: int) -> int:
    """So many seconds after the start of a profile's tape, nanoseconds."""
    return start_ns(one) + seconds * SECOND_NS


def _some_log() -> Any:
    from contracts.control import ControlLog, ControlVersion

    version = ControlVersion(effective_ns=0, control=SyntheticControlState())
    return ControlLog(versions=(version,))


SOME_LOG = _some_log()
