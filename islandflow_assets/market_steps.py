"""What steps over market × seed have in common: their bench, their specs, and how one publishes.

What is published are ``market_tapes``, ``smart_flow`` and ``detection_reports``; events are
``lineage``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from islandflow_assets import lineage
from islandflow_assets.outcomes import Outcome, published_of, verdict_of
from islandflow_assets.partitions import MarketCell, requested_markets
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.tape_requests import ResolvedTape, registered_tape

Events: TypeAlias = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]
Show: TypeAlias = Callable[[MarketCell, ResolvedTape], Outcome]


@dataclass(frozen=True)
class Bench:
    """What every cell of a run is made with."""

    store: ObjectStore
    labels_store: ObjectStore
    database: Database
    run_id: str


def registered(bench: Bench, wanted: Iterable[MarketCell]) -> dict[str, ResolvedTape]:
    """Specs of the markets of some cells."""
    names = {cell.market_key for cell in wanted}
    return {key: registered_tape(bench.store, bench.database, key) for key in sorted(names)}


def published(
    context: dg.AssetExecutionContext,
    bench: Bench,
    asset: str,
    version: str,
    inputs: Collection[str],
    checks: Mapping[str, str],
    show: Show,
    *,
    is_last: bool = False,
) -> Events:
    """All events of a step that publishes, cell by cell, what is made or stands.

    Parameters
    ----------
    inputs : collection of str
        Assets that it reads.
    checks : mapping of str to str
        Its checks by their names.
    show : callable
        What becomes of a cell.
    """
    with reported(context):
        wanted = requested_markets(context)
        read = lineage.newest_events(context.instance, *inputs)
        specs = registered(bench, wanted)
        outcomes = [show(cell, specs[cell.market_key]) for cell in wanted]
    yield lineage.output()
    yield from lineage.materialisations(asset, version, published_of(outcomes), read)
    verdicts = [verdict_of(name, outcomes) for name in checks]
    yield from lineage.check_results(asset, verdicts, context.log, is_last=is_last)
