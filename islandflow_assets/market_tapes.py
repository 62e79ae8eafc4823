"""``tape``, ``market_session``, ``tape_labels``, ``tape_manifest`` and ``replay_plan``.

One computation makes a tape: the body of ``tape`` writes every file, the manifest last. The other
assets publish what then stands, verify their own part of it, and refuse what did not pass. A
partition is a spec, which holds the control that it depends on; registration and sensors put it
there (``islandflow_jobs.registration``, ``control_sensors``).
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg

from contracts.tape_columns import SESSION_STATES
from contracts.tape_manifest import LABEL_FILES, TAPE_FILES
from engine.tapes.market.api import VERSION as TAPE_VERSION
from islandflow_assets import keys, lineage
from islandflow_assets.market_shown import (
    labels_metadata,
    manifest_metadata,
    plan_metadata,
    session_metadata,
    tape_metadata,
)
from islandflow_assets.market_steps import Bench, Events, published, registered
from islandflow_assets.market_verdicts import CHECKS, check_specs, checks_of, verdicts_of
from islandflow_assets.outcomes import Outcome, published_of
from islandflow_assets.partitions import MARKETS, MarketCell, requested_markets
from islandflow_assets.previews import column_schema
from islandflow_assets.tape_page import page_metadata, tape_page
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.market_tapes import MarketRef, MarketTapeFiles, make_market_tape
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.sound_tapes import SoundTape, plan_digest, sound_tape
from islandflow_resources.tape_reports import Judgement, judged
from islandflow_resources.tape_requests import ResolvedTape

_STANDS = {
    keys.NOTHING_MISSING: "every partition that was asked for has a tape that passed its checks",
    keys.DIGEST_MATCHES: "what is published has the bytes that the manifest says",
}


@dataclass(frozen=True)
class Part:
    """A part of a tape that an asset publishes.

    Attributes
    ----------
    asset : str
    inputs : tuple of str
        Assets that it is made from.
    files : tuple of str
        What is verified.
    show : callable
        Metadata of one that stands.
    replays : bool
        Whether the tape is replayed.
    """

    asset: str
    inputs: tuple[str, ...]
    files: tuple[str, ...]
    show: Callable[[ObjectStore, str, SoundTape], dict[str, Any]]
    replays: bool = False


_DIGESTS: Final[dict[str, Callable[[MarketTapeFiles], str]]] = {
    keys.TAPE: lambda tape: tape.content_digest,
    keys.MARKET_SESSION: lambda tape: tape.states_digest,
    keys.TAPE_LABELS: lambda tape: tape.labels_digest,
    keys.TAPE_MANIFEST: lambda tape: tape.manifest.manifest_hash,
    keys.REPLAY_PLAN: plan_digest,
}
"""Data version of each asset."""
_SESSION: Final = Part(
    keys.MARKET_SESSION, (keys.TAPE,), (f"{SESSION_STATES.name}.parquet",), session_metadata
)
_LABELS: Final = Part(keys.TAPE_LABELS, (keys.TAPE,), LABEL_FILES, labels_metadata)
_MANIFEST: Final = Part(
    keys.TAPE_MANIFEST,
    (keys.TAPE, keys.TAPE_LABELS),
    (*TAPE_FILES, *LABEL_FILES),
    manifest_metadata,
)
_PLAN: Final = Part(keys.REPLAY_PLAN, (keys.TAPE_MANIFEST,), (), plan_metadata, replays=True)


@dg.asset(
    name=keys.TAPE,
    group_name=keys.MARKET,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=TAPE_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    check_specs=check_specs(keys.TAPE, CHECKS),
)
def tape(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> Events:
    """Equity quotes and prints, option NBBO and prints of one market and seed, made once, judged.

    Prices are in hundredths of a cent, times in nanoseconds UTC. The same spec and seed always
    give the same `content_digest`.
    """
    bench = Bench(store, labels_store, database, context.run.run_id)
    judgements: list[Judgement] = []
    with reported(context):
        wanted = requested_markets(context)
        specs = registered(bench, wanted)
        outcomes = [
            _made(bench, engine_runtime, cell, specs[cell.market_key], judgements)
            for cell in wanted
        ]
    stand = published_of(outcomes)
    context.log.info(f"{len(stand)} of {len(wanted)} tapes stand and hold")
    yield lineage.output()
    yield from lineage.materialisations(keys.TAPE, TAPE_VERSION, stand)
    yield from lineage.check_results(keys.TAPE, verdicts_of(outcomes, judgements), context.log)


@dg.asset(
    name=keys.MARKET_SESSION,
    group_name=keys.MARKET,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[tape],
    code_version=TAPE_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(SESSION_STATES)},
    check_specs=check_specs(keys.MARKET_SESSION, _STANDS),
)
def market_session(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """States of the session, minute by minute: regime, phase, levels, symbols in focus.

    Levels are those that both asset classes follow: volatility, liquidity, cleanliness of quotes.
    """
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _SESSION, is_last=True)


@dg.asset(
    name=keys.TAPE_LABELS,
    group_name=keys.MARKET,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[tape],
    code_version=TAPE_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "json"},
    check_specs=check_specs(keys.TAPE_LABELS, _STANDS),
)
def tape_labels(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """The truth about a tape, kept apart from it: bursts, who printed what, expected outputs."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _LABELS)


@dg.asset(
    name=keys.TAPE_MANIFEST,
    group_name=keys.MARKET,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[tape, tape_labels],
    code_version=TAPE_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"json"},
    check_specs=check_specs(keys.TAPE_MANIFEST, _STANDS),
)
def tape_manifest(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """What a tape was made from, what it must say, and the digest of every file of it."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _MANIFEST)


@dg.asset(
    name=keys.REPLAY_PLAN,
    group_name=keys.MARKET,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[tape_manifest],
    code_version=TAPE_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"json"},
    check_specs=check_specs(keys.REPLAY_PLAN, _STANDS),
)
def replay_plan(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """In which order the events of a tape are replayed, proved by replaying them once."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    yield from _standing(context, bench, _PLAN, is_last=True)


def _made(
    bench: Bench,
    runtime: EngineRuntime,
    cell: MarketCell,
    resolved: ResolvedTape,
    judgements: list[Judgement],
) -> Outcome:
    """Make or find one tape, and judge it."""
    ref, store, database = MarketRef(resolved, cell.seed), bench.store, bench.database
    with tempfile.TemporaryDirectory(prefix="islandflow-market-") as folder:
        made = make_market_tape(
            store, bench.labels_store, database, runtime, ref, Path(folder), bench.run_id
        )
    if made.tape is None:
        return Outcome(cell, {keys.DIGEST_MATCHES: made.problem})
    judgement = judged(store, database, made.tape, bench.run_id)
    judgements.append(judgement)
    shown = None
    if judgement.report is not None:
        page = tape_page(store, database, made.tape, judgement.report, bench.run_id)
        metadata = {
            **tape_metadata(store, str(cell), made, made.tape, judgement.report),
            **page_metadata(store, str(cell), page),
        }
        shown = lineage.Published(cell, made.tape.content_digest, {}, metadata)
    return Outcome(cell, checks_of(judgement), shown)


def _standing(
    context: dg.AssetExecutionContext, bench: Bench, part: Part, *, is_last: bool = False
) -> Events:
    """All events of a step that publishes a part of tapes that stand."""

    def show(cell: MarketCell, resolved: ResolvedTape) -> Outcome:
        return _shown(bench, part, cell, resolved)

    yield from published(
        context, bench, part.asset, TAPE_VERSION, part.inputs, _STANDS, show, is_last=is_last
    )


def _shown(bench: Bench, part: Part, cell: MarketCell, resolved: ResolvedTape) -> Outcome:
    """Publish a part of one tape."""
    found = sound_tape(
        bench.store,
        bench.labels_store,
        bench.database,
        MarketRef(resolved, cell.seed),
        bench.run_id,
        files=part.files,
        replay=part.replays,
    )
    if found.tape is None:
        name = keys.DIGEST_MATCHES if found.is_damaged else keys.NOTHING_MISSING
        return Outcome(cell, {name: found.problem})
    digests = {name: _DIGESTS[name](found.tape) for name in part.inputs}
    metadata = part.show(bench.store, str(cell), found)
    shown = lineage.Published(cell, _DIGESTS[part.asset](found.tape), digests, metadata)
    return Outcome(cell, dict.fromkeys(_STANDS), shown)
