"""``trial_shares`` and ``campaign_trials``: all trials of a campaign, made once in chunks.

A campaign is one partition, whatever its size; trials are rows. With Dagster's multiprocess
executor the chunks that are known beforehand are shared among parallel steps first; whatever
is still missing, `campaign_trials` makes itself. What the trials say is ``campaign_reports``.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from contracts.columns import CANDIDATES, TRIALS, TableSchema
from contracts.digest import bare
from islandflow_assets import keys
from islandflow_assets.partitions import CAMPAIGN, refuse_temporary
from islandflow_assets.pipeline_datasets import pipeline_dataset
from islandflow_assets.previews import column_schema, stored_table
from islandflow_assets.scenarios import scenario_dataset
from islandflow_resources.campaign_runs import run_campaign
from islandflow_resources.campaign_tables import VERSION, CampaignTrials
from islandflow_resources.campaign_trials import listed_chunks
from islandflow_resources.campaigns import AnyCampaign, registered
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.executors import ChunkExecutor
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.failures import mark_permanent, reported
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.progress import Progress
from islandflow_resources.settings import load_settings
from islandflow_resources.trials import make_chunks

_NAMED = 5
_SHOWN = TableSchema(
    CANDIDATES.name, CANDIDATES.version, CANDIDATES.columns[: CANDIDATES.names.index("bars")]
)
"""Columns of candidates that a person looks at."""


class _NothingPassed(dg.IOManager):
    """Passes no value between the steps of a share: which one it is, is in its mapping key."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Store nothing."""

    def load_input(self, context: dg.InputContext) -> None:
        """Load nothing."""


nothing_passed = dg.IOManagerDefinition(lambda _: _NothingPassed())


@dg.op(out=dg.DynamicOut(io_manager_key="nothing_passed"))
def plan_shares(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[None]]:
    """One share for each process that may make some; none where one process makes all."""
    with reported(context):
        refuse_temporary(context.instance)
        settings = load_settings()
        shares = settings.threads if settings.executor == "multiprocess" else 0
    for share in range(shares):
        yield dg.DynamicOutput(None, mapping_key=f"share_{share}_of_{shares}")


@dg.op(out=dg.Out(io_manager_key="nothing_passed"))
def make_share(
    context: dg.OpExecutionContext,
    planned: Any,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> None:
    """Make every n-th of the chunks that are known before any score is."""
    with reported(context):
        _, share, _, shares = (context.get_mapping_key() or "").split("_")
        campaign = registered(database, context.partition_key)
        if isinstance(campaign, ReadyExperiment):
            return
        chunks = list(listed_chunks(campaign))[int(share) :: int(shares)]
        alone = EngineRuntime(1, engine_runtime.memory_mb, engine_runtime.kernel_home)
        made = [
            one.used_cache for one in make_chunks(store, database, alone, chunks, context.run_id)
        ]
        context.log.info(f"{len(made) - sum(made)} of {len(made)} chunks made, the others found")


@dg.op(out=dg.Out(io_manager_key="nothing_passed"))
def close_shares(shares: list[Any]) -> dg.Output[None]:
    """All shares are made."""
    return dg.Output(None, metadata={"shares": len(shares)})


@dg.graph_asset(
    name=keys.TRIAL_SHARES,
    group_name=keys.CAMPAIGNS,
    partitions_def=CAMPAIGN,
    code_version=VERSION,
    kinds={"parquet", "numba"},
)
def trial_shares() -> None:
    """Chunks of trials made by parallel steps, where the executor has several."""
    return close_shares(plan_shares().map(make_share).collect())


@dg.asset(
    name=keys.CAMPAIGN_TRIALS,
    group_name=keys.CAMPAIGNS,
    partitions_def=CAMPAIGN,
    deps=[
        trial_shares,
        dg.AssetDep(scenario_dataset, partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep(pipeline_dataset, partition_mapping=dg.AllPartitionMapping()),
    ],
    code_version=VERSION,
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(TRIALS)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.NO_TRIAL_MISSING,
            asset=keys.CAMPAIGN_TRIALS,
            blocking=True,
            description="every parameter set has a stored, verified trial on every dataset",
        )
    ],
)
def campaign_trials(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    chunk_executor: dg.ResourceParam[ChunkExecutor],
) -> dg.MaterializeResult:
    """Every parameter set of every strategy on every dataset of a campaign.

    Trials lie in chunks, each a table with a row for a trial: metrics, counts, and sums of the
    returns by block. Returns and drawdowns are fractions (0.01 is 1 %).
    """
    with reported(context):
        refuse_temporary(context.instance)
        campaign = registered(database, context.partition_key)
        progress = Progress("trials", context.log.info)
        made = run_campaign(
            store, database, engine_runtime, campaign, chunk_executor, context.run.run_id, progress
        )
        computed = _made_by(database, campaign, made, context.run.run_id)
        said = f"{computed:,} of {made.trials:,} trials computed in {made.seconds:.1f} s"
        context.log.info(f"{said}, the others found")
    missing = _nothing_missing(made)
    if made.refused:
        # Dagster's own error names the check but neither dataset nor reason.
        context.log.error(f"check {keys.NO_TRIAL_MISSING}: {missing.description}")
        mark_permanent(context, _code(made))
    return dg.MaterializeResult(
        metadata=_metadata(store, campaign, made, computed),
        data_version=dg.DataVersion(bare(made.chunks.content_digest)),
        check_results=[missing],
    )


def _made_by(database: Database, campaign: AnyCampaign, made: CampaignTrials, run_id: str) -> int:
    """Trials that a run computed, in whichever of its steps."""
    if isinstance(campaign, ReadyExperiment):
        # One step makes them all, and a run of a signal is a row for each threshold.
        return made.made
    chunks = made.chunks.table.select(["recipe_digest", "trials"]).to_pylist()
    rows = database.find({one["recipe_digest"] for one in chunks})
    return sum(one["trials"] for one in chunks if rows[one["recipe_digest"]].run_id == run_id)


def _metadata(
    store: ObjectStore, campaign: AnyCampaign, made: CampaignTrials, computed: int
) -> dict[str, Any]:
    chunks = made.chunks.table
    return {
        "trials": made.trials,
        "computed": computed,
        "candidates": made.candidates.table.num_rows,
        "datasets": len(campaign.cells),
        "chunks": chunks.num_rows,
        "first_candidates": stored_table(made.candidates.table.slice(0, 20), _SHOWN),
        "dagster/row_count": made.trials,
        "uri": dg.MetadataValue.url(store.uri(made.chunks.key)),
        "candidates_uri": dg.MetadataValue.url(store.uri(made.candidates.key)),
        "content_digest": made.chunks.content_digest,
        "recipe_digest": made.chunks.recipe,
        "used_cache": computed == 0,
        "trials_per_second": round(made.made / max(made.seconds, 1e-9)),
        "seconds": round(made.seconds, 3),
    }


def _nothing_missing(made: CampaignTrials) -> dg.AssetCheckResult:
    refused = made.refused
    named = "; ".join(f"{one.name}: {one.problem}" for one in refused[:_NAMED])
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    said = f"{len(refused)} datasets have no trials: {named}{more}"
    return dg.AssetCheckResult(
        asset_key=keys.CAMPAIGN_TRIALS,
        check_name=keys.NO_TRIAL_MISSING,
        passed=not refused,
        severity=dg.AssetCheckSeverity.ERROR,
        description=said if refused else "every dataset has all its trials",
        metadata={"trials": made.trials, "datasets_refused": len(refused)},
    )


def _code(made: CampaignTrials) -> str:
    return made.refused[0].problem.code
