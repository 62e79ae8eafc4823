"""``strategy_spec`` and ``strategy_ir``: what is registered, and what it means.

Both are unpartitioned: an ordered list of all strategies, whose digest enters the
recipe of every backtest. Registration is ``islandflow_jobs.registration``.
"""

import dagster as dg

from contracts.digest import bare, document_digest
from engine import dsl
from islandflow_assets import keys
from islandflow_assets.previews import strategy_list_table
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.strategies import (
    StrategyList,
    publish_list,
    publish_specs,
    registered_strategies,
    spec_key,
)

SPEC_VERSION = "0.1"


@dg.asset(
    name=keys.STRATEGY_SPEC,
    group_name=keys.STRATEGIES,
    code_version=SPEC_VERSION,
    kinds={"json"},
)
def strategy_spec(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> dg.MaterializeResult:
    """The documents of all registered strategies, each in the store under its hash."""
    with reported(context):
        strategies = registered_strategies(database)
        publish_specs(store, strategies)
    version = document_digest([spec.strategy_hash for spec in strategies])
    return dg.MaterializeResult(
        metadata={
            "strategies": len(strategies),
            "first": dg.MetadataValue.json(strategies[0].document()),
            "uri": dg.MetadataValue.url(store.uri(spec_key(strategies[0]))),
        },
        data_version=dg.DataVersion(bare(version)),
    )


@dg.asset(
    name=keys.STRATEGY_IR,
    group_name=keys.STRATEGIES,
    deps=[strategy_spec],
    code_version=dsl.VERSION,
    kinds={"json"},
)
def strategy_ir(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> dg.MaterializeResult:
    """What the strategies mean: canonical rules and indicator columns, in one ordered list.

    Strategies of the same meaning have the same `ir_hash`. The digest of the list is in
    the recipe of every backtest.
    """
    with reported(context):
        listed = StrategyList.of(registered_strategies(database))
        publish_list(store, listed)
    return dg.MaterializeResult(
        metadata={
            "strategies": strategy_list_table(listed),
            "count": len(listed.strategies),
            "uri": dg.MetadataValue.url(store.uri(listed.key)),
            "digest": listed.digest,
        },
        data_version=dg.DataVersion(bare(listed.digest)),
    )
