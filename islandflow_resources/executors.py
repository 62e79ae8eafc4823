"""Where trial chunks are made: in this process, or on a Ray cluster.

Wherever that is, a chunk is stored and recorded by whoever made it, and what comes back is the
same. Dagster's multiprocess executor spreads chunks as steps of a run, which is the graph's
affair (``islandflow_assets.campaigns``): each of its steps makes its share in its own process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.trials import MadeChunk, TrialChunk, make_chunks


class ChunkExecutor(Protocol):
    """Makes chunks somewhere."""

    def make(self, chunks: Sequence[TrialChunk], run_id: str) -> Iterator[MadeChunk]:
        """Yield every chunk, made or found, in the order given."""
        ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """Makes chunks on the threads of this process."""

    store: ObjectStore
    database: Database
    runtime: EngineRuntime

    def make(self, chunks: Sequence[TrialChunk], run_id: str) -> Iterator[MadeChunk]:
        """Yield every chunk, made or found, in the order given."""
        return make_chunks(self.store, self.database, self.runtime, chunks, run_id)


def executor_of(resources: ResourceSet) -> ChunkExecutor:
    """The executor that the environment chooses; Dagster's own makes chunks in its steps."""
    if resources.settings.executor == "ray":
        from islandflow_resources.ray_executor import RayChunks

        return RayChunks(resources.settings)
    return InProcess(resources.store, resources.database, resources.engine_runtime)
