"""A graph with order books to run in a test: small tapes, and a recorded file, registered.

`Books` adds to tests/graph.py what its jobs over tapes and recorded files need; tapes and
configurations are those of tests/islandflow_resources/books.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from contracts.mbo import MboSpec
from engine.tapes.mbo.api import MboTape
from islandflow_assets.partitions import TapeCell, range_tags
from islandflow_jobs import registration
from islandflow_resources.mbo_writers import write_events
from tests.graph import QUIET, Graph, Run, graph_of, registered_home
from tests.islandflow_resources.books import grid_document, short_tape


class Books:
    """Order books in a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @property
    def objects(self) -> Path:
        """Folder of the store."""
        return self.graph.resources.store.root  # type: ignore[attr-defined]

    def register(self, *specs: MboSpec, seeds: Sequence[int] = ()) -> list[str]:
        """Register tapes; returns their keys."""
        resources, instance = self.graph.resources, self.graph.instance
        done = registration.register_tapes(resources.store, resources.database, instance, specs)
        registration.add_seeds(instance, seeds)
        return [one.key for one in done]

    def record(self, folder: Path, symbol: str = "MNQH6") -> str:
        """Import a recorded file; returns its key."""
        path = folder / "session.dbn"
        write_events(path, MboTape(short_tape(), 1).batches(), symbol=symbol)
        resources, instance = self.graph.resources, self.graph.instance
        done = registration.import_source(resources.store, resources.database, instance, path, None)
        return done.source.key

    def run(self, first: TapeCell, last: TapeCell | None = None, **settings: Any) -> Run:
        """Run ``books`` over the box between two cells, or one cell as a click does."""
        if last is None:
            return self._run("books", partition_key=first.key, **settings)
        return self._run("books", tags=range_tags(first, last), **settings)

    def run_recorded(self, source_key: str, **settings: Any) -> Run:
        """Run ``recorded_books`` for one file."""
        return self._run("recorded_books", partition_key=source_key, **settings)

    def _run(
        self, job: str, *, partition_key: Any = None, tags: Any = None, **settings: Any
    ) -> Run:
        from islandflow_jobs.definitions import defs

        told = {"grid_config": json.dumps(grid_document()), **settings}
        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.graph.instance,
            partition_key=partition_key,
            tags=tags,
            run_config={**QUIET, "resources": {"grid_settings": {"config": told}}},
            raise_on_error=False,
        )
        return Run(result, self.graph.instance)


def check(run: Run, asset: str, name: str) -> dg.AssetCheckEvaluation:
    """The one evaluation of an asset's check in a run."""
    [found] = [
        one
        for one in run.result.get_asset_check_evaluations()
        if (one.check_name, one.asset_key) == (name, dg.AssetKey(asset))
    ]
    return found


def failures(run: Run, asset: str, name: str) -> dict[str, str]:
    """Codes of a failed check's table by partition."""
    records = check(run, asset, name).metadata["failures"].records  # type: ignore[union-attr]
    return {str(record.data["partition"]): str(record.data["code"]) for record in records}


@contextmanager
def books_graph() -> Iterator[Books]:
    """Order books in a fresh embedded home."""
    with graph_of(registered_home()) as graph:
        yield Books(graph)
