"""``flow_packets``, ``smart_flow_hypotheses``, ``smart_flow_alerts``, ``smart_money_events``.

One computation detects what is in a tape: the body of ``flow_packets`` writes every table, the
manifest last. The other assets publish what then stands. None of them sees a label: how right a
detection is, is ``detection_reports``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from contracts.columns import TableSchema
from contracts.flow_columns import ALERTS, FLOW_PACKETS, HYPOTHESIS_ROWS, SMART_MONEY_EVENTS
from contracts.flow_policy import usual_policy
from engine.flow.api import VERSION
from islandflow_assets import keys, lineage
from islandflow_assets.flow_shown import (
    alert_metadata,
    event_metadata,
    hypothesis_metadata,
    packet_metadata,
)
from islandflow_assets.market_steps import Bench, Events, published
from islandflow_assets.market_tapes import tape
from islandflow_assets.market_verdicts import check_specs
from islandflow_assets.outcomes import Outcome
from islandflow_assets.partitions import MARKETS, MarketCell
from islandflow_assets.previews import column_schema
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.flow_parity import differing_batches
from islandflow_resources.market_tapes import MarketRef
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.sound_detections import SoundDetection, make_detection, sound_detection
from islandflow_resources.tape_requests import ResolvedTape

_MADE: Final = {
    keys.NOTHING_MISSING: "every partition that was asked for has a tape that passed its checks",
    keys.DIGEST_MATCHES: "every file of the detection has the bytes that its manifest says",
    keys.PARITY_HOLDS: "in other batches, late and repeated, the same events say the same",
}
_STANDS: Final = {
    keys.NOTHING_MISSING: "every partition that was asked for has a detection",
    keys.DIGEST_MATCHES: "what is published has the bytes that the manifest says",
}


@dataclass(frozen=True)
class Part:
    """A table of a detection that an asset publishes.

    Attributes
    ----------
    asset : str
    schema : TableSchema
    inputs : mapping of str to TableSchema
        Assets that it is made from, and the tables that they publish.
    show : callable
        Metadata of one that stands.
    """

    asset: str
    schema: TableSchema
    inputs: dict[str, TableSchema]
    show: Callable[[str, StoredDetection], dict[str, Any]]


_HYPOTHESES: Final = Part(
    keys.SMART_FLOW_HYPOTHESES,
    HYPOTHESIS_ROWS,
    {keys.FLOW_PACKETS: FLOW_PACKETS},
    hypothesis_metadata,
)
_ALERTS: Final = Part(
    keys.SMART_FLOW_ALERTS, ALERTS, {keys.SMART_FLOW_HYPOTHESES: HYPOTHESIS_ROWS}, alert_metadata
)
_EVENTS: Final = Part(
    keys.SMART_MONEY_EVENTS,
    SMART_MONEY_EVENTS,
    {keys.SMART_FLOW_HYPOTHESES: HYPOTHESIS_ROWS},
    event_metadata,
)


@dg.asset(
    name=keys.FLOW_PACKETS,
    group_name=keys.SMART_FLOW,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[tape],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(FLOW_PACKETS)},
    check_specs=check_specs(keys.FLOW_PACKETS, _MADE),
)
def flow_packets(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> Events:
    """Option prints of a tape in packets of half a second, each judged as evidence by its quotes.

    A packet is of one contract, or of legs that trade together.
    """
    bench = Bench(store, labels_store, database, context.run.run_id)

    def show(cell: MarketCell, resolved: ResolvedTape) -> Outcome:
        return _made(bench, engine_runtime, cell, resolved)

    yield from published(context, bench, keys.FLOW_PACKETS, VERSION, (keys.TAPE,), _MADE, show)


@dg.asset(
    name=keys.SMART_FLOW_HYPOTHESES,
    group_name=keys.SMART_FLOW,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[flow_packets],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(HYPOTHESIS_ROWS)},
    check_specs=check_specs(keys.SMART_FLOW_HYPOTHESES, _STANDS),
)
def smart_flow_hypotheses(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """What each cluster of packets may be, how sure that is, and why nothing is said of most."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _HYPOTHESES)


@dg.asset(
    name=keys.SMART_FLOW_ALERTS,
    group_name=keys.SMART_FLOW,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[smart_flow_hypotheses],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(ALERTS)},
    check_specs=check_specs(keys.SMART_FLOW_ALERTS, _STANDS),
)
def smart_flow_alerts(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """Hypotheses that are said aloud. ``islandflow flow explain`` tells why, print by print."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _ALERTS, is_last=True)


@dg.asset(
    name=keys.SMART_MONEY_EVENTS,
    group_name=keys.SMART_FLOW,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[smart_flow_hypotheses],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(SMART_MONEY_EVENTS)},
    check_specs=check_specs(keys.SMART_MONEY_EVENTS, _STANDS),
)
def smart_money_events(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """Every cluster that is evidence at all, with the probability of each of six profiles."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _EVENTS, is_last=True)


def _made(
    bench: Bench, runtime: EngineRuntime, cell: MarketCell, resolved: ResolvedTape
) -> Outcome:
    """Detect what is in one tape, and detect a part of it again in other batches."""
    found = make_detection(
        bench.store,
        bench.labels_store,
        bench.database,
        runtime,
        MarketRef(resolved, cell.seed),
        usual_policy(),
        bench.run_id,
    )
    if found.tape is None or found.detection is None:
        return _absent(cell, found)
    problem = differing_batches(found.tape.place, found.detection)
    content = found.detection.manifest.tables[FLOW_PACKETS.name].digest
    inputs = {keys.TAPE: found.tape.content_digest}
    metadata = packet_metadata(str(cell), found)
    shown = lineage.Published(cell, content, inputs, metadata)
    return Outcome(cell, {**dict.fromkeys(_MADE), keys.PARITY_HOLDS: problem}, shown)


def _standing(
    context: dg.AssetExecutionContext, bench: Bench, part: Part, *, is_last: bool = False
) -> Events:
    """All events of a step that publishes a table of detections that stand."""

    def show(cell: MarketCell, resolved: ResolvedTape) -> Outcome:
        return _shown(bench, part, cell, resolved)

    yield from published(
        context, bench, part.asset, VERSION, part.inputs, _STANDS, show, is_last=is_last
    )


def _shown(bench: Bench, part: Part, cell: MarketCell, resolved: ResolvedTape) -> Outcome:
    """Publish a table of one detection."""
    found = sound_detection(
        bench.store,
        bench.labels_store,
        bench.database,
        MarketRef(resolved, cell.seed),
        usual_policy(),
        bench.run_id,
    )
    if found.detection is None:
        return _absent(cell, found)
    tables = found.detection.manifest.tables
    inputs = {asset: tables[schema.name].digest for asset, schema in part.inputs.items()}
    metadata = part.show(str(cell), found.detection)
    shown = lineage.Published(cell, tables[part.schema.name].digest, inputs, metadata)
    return Outcome(cell, dict.fromkeys(_STANDS), shown)


def _absent(cell: MarketCell, found: SoundDetection) -> Outcome:
    name = keys.DIGEST_MATCHES if found.is_damaged else keys.NOTHING_MISSING
    return Outcome(cell, {name: found.problem})
