"""What a campaign's trials say: leaderboard, robustness, overfitting, and the winner's dossier.

Each is derived from the one before and found again if it stands. The trials are ``campaigns``,
publishing is ``serving``, the tables and documents ``islandflow_resources``.
"""

from typing import Any

import dagster as dg

from contracts.columns import CAMPAIGN_LEADERBOARD, MONTE_CARLO, WALK_FORWARD, TableSchema
from contracts.digest import bare, document_digest
from contracts.serving import Dossier
from islandflow_assets import charts, keys
from islandflow_assets.campaign_page import campaign_page
from islandflow_assets.campaign_pictures import heat_map, pictures_of
from islandflow_assets.campaigns import campaign_trials
from islandflow_assets.partitions import CAMPAIGN
from islandflow_assets.previews import column_schema, stored_table
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_robustness import make_robust
from islandflow_resources.campaign_tables import VERSION
from islandflow_resources.campaigns import registered
from islandflow_resources.database import Database
from islandflow_resources.derived import Derived
from islandflow_resources.dossiers import VERSION as DOSSIER_VERSION
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.judgement import judged_now
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.overfit_reports import make_overfit_report
from islandflow_resources.tracked_trials import track_trials

PASSED_TAG = "islandflow/gate_passed"
"""Tag of a dossier's event that the sensor of promotions reads."""


_BEHIND = ("candidate", "set_id", "datasets", "defined")
_SHOWN = TableSchema(
    CAMPAIGN_LEADERBOARD.name,
    CAMPAIGN_LEADERBOARD.version,
    tuple(sorted(CAMPAIGN_LEADERBOARD.columns, key=lambda column: column.name in _BEHIND)),
)
"""The leaderboard as a person reads it: numbers first, identities behind them."""


def _check(name: str, asset: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, blocking=blocking, description=description)


@dg.asset(
    name=keys.CAMPAIGN_LEADERBOARD,
    group_name=keys.CAMPAIGNS,
    partitions_def=CAMPAIGN,
    deps=[campaign_trials],
    code_version=VERSION,
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(CAMPAIGN_LEADERBOARD)},
    check_specs=[
        _check(
            keys.EVERYTHING_RANKED,
            keys.CAMPAIGN_LEADERBOARD,
            "every candidate has a rank, and the best a score",
        )
    ],
)
def campaign_leaderboard(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> dg.MaterializeResult:
    """The candidates of a campaign, the best first.

    By the median of the objective over all datasets. Returns, drawdowns and shares are fractions
    (0.01 is 1 %). A tracking server, where there is one, is told of the trials.
    """
    with reported(context):
        campaign = registered(database, context.partition_key)
        board = make_leaderboard(store, database, campaign, context.run.run_id)
        told = track_trials(store, database, campaign, board)
    if told is not None and told.problem:
        context.log.warning(f"tracking: {told.problem}")
    first = board.table.slice(0, 1).to_pylist()[0]
    undefined = board.table["score"].null_count
    passed = dg.AssetCheckResult(
        asset_key=keys.CAMPAIGN_LEADERBOARD,
        check_name=keys.EVERYTHING_RANKED,
        passed=first["score"] is not None,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{undefined} of {board.table.num_rows} candidates have no score",
    )
    tracking = {"tracking": told.sentence, "tracked_runs": told.kept} if told else {}
    return dg.MaterializeResult(
        metadata={
            "leaderboard": stored_table(board.table, _SHOWN),
            "heat_map": heat_map(campaign, board),
            "best_score": _shown(first["score"]),
            "dagster/row_count": board.table.num_rows,
            **tracking,
            **_where(store, board),
        },
        data_version=dg.DataVersion(bare(board.content_digest)),
        check_results=[passed],
    )


@dg.asset(
    name=keys.CAMPAIGN_ROBUSTNESS,
    group_name=keys.CAMPAIGNS,
    partitions_def=CAMPAIGN,
    deps=[campaign_leaderboard],
    code_version=DOSSIER_VERSION,
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(MONTE_CARLO)},
    check_specs=[
        _check(
            keys.PATHS_CONVERGED,
            keys.CAMPAIGN_ROBUSTNESS,
            "every Monte Carlo summary has reached its precision",
        )
    ],
)
def campaign_robustness(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> dg.MaterializeResult:
    """Monte Carlo and walk-forward of the best trials of a campaign.

    Sharpe ratios are annualised; drawdowns are negative fractions, probabilities shares.
    """
    with reported(context):
        campaign = registered(database, context.partition_key)
        board = make_leaderboard(store, database, campaign, context.run.run_id)
        robust = make_robust(store, database, engine_runtime, campaign, board, context.run.run_id)
        pictures = pictures_of(store, database, engine_runtime, campaign, board, robust)
    stood = [one for one in (robust.monte_carlo, robust.walk_forward) if one is not None]
    resampled = robust.monte_carlo.table.to_pylist() if robust.monte_carlo else []
    short = sum(not row["converged"] for row in resampled)
    check = dg.AssetCheckResult(
        asset_key=keys.CAMPAIGN_ROBUSTNESS,
        check_name=keys.PATHS_CONVERGED,
        passed=not short,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{short} of {len(resampled)} Monte Carlo summaries have not converged",
    )
    version = document_digest([one.content_digest for one in stood])
    tables: dict[str, Any] = {}
    if robust.monte_carlo is not None:
        tables["monte_carlo"] = stored_table(robust.monte_carlo.table.slice(0, 20), MONTE_CARLO)
        tables["monte_carlo_uri"] = dg.MetadataValue.url(store.uri(robust.monte_carlo.key))
    if robust.walk_forward is not None:
        tables["walk_forward"] = stored_table(robust.walk_forward.table.slice(0, 20), WALK_FORWARD)
        tables["walk_forward_uri"] = dg.MetadataValue.url(store.uri(robust.walk_forward.key))
    return dg.MaterializeResult(
        metadata={**pictures, **tables, "used_cache": all(one.used_cache for one in stood)},
        data_version=dg.DataVersion(bare(version)),
        check_results=[check],
    )


@dg.asset(
    name=keys.OVERFIT_REPORT,
    group_name=keys.CAMPAIGNS,
    partitions_def=CAMPAIGN,
    deps=[campaign_trials],
    code_version=DOSSIER_VERSION,
    kinds={"json"},
    check_specs=[
        _check(
            keys.OVERFITTING_KNOWN,
            keys.OVERFIT_REPORT,
            "the probability of overfitting and the deflated Sharpe ratio are defined",
        )
    ],
)
def overfit_report(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> dg.MaterializeResult:
    """How likely it is that the best candidate of a campaign was best by luck.

    Probability of backtest overfitting, deflated Sharpe ratio, combinatorial cross-validation.
    """
    with reported(context):
        campaign = registered(database, context.partition_key)
        report = make_overfit_report(store, database, campaign, context.run.run_id)
    document = report.document
    deflated = _part(document, "deflated")
    check = dg.AssetCheckResult(
        asset_key=keys.OVERFIT_REPORT,
        check_name=keys.OVERFITTING_KNOWN,
        passed=document.get("pbo") is not None and deflated.get("deflated_sharpe") is not None,
        severity=dg.AssetCheckSeverity.WARN,
        description=_undefined(document) or "both are",
    )
    logits = _part(document, "logits")
    picture = {}
    if logits:
        title = (
            f"{campaign.key} · logits of the winners' ranks out of sample, below 0 is overfitted"
        )
        picture["logits"] = charts.counts(title, logits["first"], logits["last"], logits["counts"])
    return dg.MaterializeResult(
        metadata={
            **picture,
            "pbo": _shown(document.get("pbo")),
            "deflated_sharpe": _shown(deflated.get("deflated_sharpe")),
            "report": dg.MetadataValue.json(dict(document)),
            **_where(store, report),
        },
        data_version=dg.DataVersion(bare(report.content_digest)),
        check_results=[check],
    )


@dg.asset(
    name=keys.PROMOTION_DOSSIER,
    group_name=keys.CAMPAIGNS,
    partitions_def=CAMPAIGN,
    deps=[campaign_leaderboard, campaign_robustness, overfit_report],
    code_version=DOSSIER_VERSION,
    kinds={"json"},
    check_specs=[
        _check(
            keys.GATE_PASSED,
            keys.PROMOTION_DOSSIER,
            "the best candidate meets every criterion of the campaign's gate",
        )
    ],
)
def promotion_dossier(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> dg.MaterializeResult:
    """What the best candidate has shown, and whether the gate lets it pass, and why."""
    with reported(context):
        campaign = registered(database, context.partition_key)
        judged = judged_now(store, database, engine_runtime, campaign, context.run.run_id)
        page = campaign_page(store, database, engine_runtime, campaign, judged, context.run.run_id)
    dossier = judged.dossier
    failed = [one for one in dossier.criteria if not one.passed]
    for one in failed:
        context.log.info(f"gate: {one.sentence}")
    check = dg.AssetCheckResult(
        asset_key=keys.PROMOTION_DOSSIER,
        check_name=keys.GATE_PASSED,
        passed=dossier.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(one.sentence for one in failed) or "every criterion is met",
    )
    latency = {} if judged.latency_ms is None else {"latency_ms": round(judged.latency_ms, 3)}
    return dg.MaterializeResult(
        metadata={
            "passed": dossier.passed,
            "criteria": _criteria_table(dossier),
            "winner": dg.MetadataValue.json(dossier.winner.document() if dossier.winner else {}),
            "report": dg.MetadataValue.url(store.uri(page.key)),
            "report_command": f"islandflow report campaign {campaign.key}",
            "alias": campaign.spec.promotion.alias if campaign.spec.promotion else "",
            **latency,
            **_where(store, judged.stored),
        },
        data_version=dg.DataVersion(bare(judged.stored.content_digest)),
        tags={PASSED_TAG: str(dossier.passed).lower()},
        check_results=[check],
    )


def _where(store: ObjectStore, one: Derived) -> dict[str, Any]:
    return {
        "uri": dg.MetadataValue.url(store.uri(one.key)),
        "content_digest": one.content_digest,
        "recipe_digest": one.recipe,
        "used_cache": one.used_cache,
    }


def _criteria_table(dossier: Dossier) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord({"criterion": one.name, "passed": one.passed, "why": one.sentence})
        for one in dossier.criteria
    ]
    columns = [
        dg.TableColumn("criterion"),
        dg.TableColumn("passed", "bool"),
        dg.TableColumn("why"),
    ]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _part(document: Any, name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _undefined(document: Any) -> str:
    """What is not defined, and why."""
    reasons = dict(_part(document, "reasons"))
    deflated = _part(document, "deflated")
    if "reason" in deflated:
        reasons["deflated_sharpe"] = deflated["reason"]
    return "; ".join(f"{name} is not defined: {reason}" for name, reason in reasons.items())


def _shown(value: object) -> dg.MetadataValue:
    if isinstance(value, int | float):
        return dg.MetadataValue.float(float(value))
    return dg.MetadataValue.text("not defined")
