"""``published_serving_spec``: a campaign's winner as an immutable spec behind an alias.

The sensor of promotions decides, this acts: whoever materialises it, however often, a decision is
carried out once. The policy is ``islandflow_resources.promotion``.
"""

import dagster as dg

from contracts.digest import bare
from contracts.errors import ContractError
from islandflow_assets import keys
from islandflow_assets.campaign_reports import promotion_dossier
from islandflow_assets.partitions import CAMPAIGN
from islandflow_resources.campaigns import AnyCampaign, registered
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.judgement import judged_now
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.promotion import Decision, promote
from islandflow_resources.signatures import Keyring

SPEC_VERSION = "0.1"
ACTOR = "run "
"""How the actor of a promotion begins that no person asked for."""
DOSSIER_TAG = "islandflow/dossier"
"""Tag of an event: the beginning of the data version of the dossier that was published for."""
_REASON = "the gate of the campaign was passed"


@dg.asset(
    name=keys.PUBLISHED_SERVING_SPEC,
    group_name=keys.SERVING,
    partitions_def=CAMPAIGN,
    deps=[promotion_dossier],
    code_version=SPEC_VERSION,
    kinds={"json"},
    check_specs=[
        dg.AssetCheckSpec(
            keys.NUMBERS_REPRODUCED,
            asset=keys.PUBLISHED_SERVING_SPEC,
            blocking=True,
            description="run again from the spec, every metric on every dataset is the same",
        )
    ],
)
def published_serving_spec(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    keyring: dg.ResourceParam[Keyring],
) -> dg.MaterializeResult:
    """The winner of a campaign, published and served under the campaign's alias.

    Refused unless the gate has passed and the spec reproduces the numbers that were judged.
    """
    with reported(context):
        run_id = context.run.run_id
        campaign = registered(database, context.partition_key)
        decision = Decision(_alias(campaign), f"{ACTOR}{run_id}", _REASON)
        judged = judged_now(store, database, engine_runtime, campaign, run_id)
        done = promote(
            store,
            database,
            engine_runtime,
            keyring,
            campaign,
            judged.dossier,
            judged.stored,
            decision,
        )
    moved, made = done.promoted, done.draft
    word = "moved" if moved.new else "already moved"
    context.log.info(f"{decision.alias} {word} to {made.serving_id}, revision {moved.revision}")
    check = dg.AssetCheckResult(
        asset_key=keys.PUBLISHED_SERVING_SPEC,
        check_name=keys.NUMBERS_REPRODUCED,
        passed=True,
        description=f"the same on all {made.spec.evidence.rows} datasets",
    )
    return dg.MaterializeResult(
        metadata={
            "serving_id": made.serving_id,
            "alias": decision.alias,
            "revision": moved.revision,
            "new": moved.new,
            "from": moved.from_serving_id or "",
            "spec": dg.MetadataValue.json(dict(made.spec.document())),
            "uri": dg.MetadataValue.url(store.uri(made.key)),
        },
        data_version=dg.DataVersion(bare(made.serving_id)),
        tags={DOSSIER_TAG: dossier_tag(bare(judged.stored.content_digest))},
        check_results=[check],
    )


def dossier_tag(data_version: str) -> str:
    """Value of `DOSSIER_TAG`: as much of a dossier's data version as a tag may hold."""
    return data_version[:32]


def _alias(campaign: AnyCampaign) -> str:
    if campaign.spec.promotion is not None:
        return campaign.spec.promotion.alias
    raise ContractError(
        "PROMOTION_NO_ALIAS",
        f"the campaign {campaign.key} says no alias to serve its winner under",
        "/promotion",
        (f"islandflow serving promote {campaign.key} --alias NAME --reason TEXT serves it",),
    )
