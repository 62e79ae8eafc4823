"""Jobs of research, validation, campaigns, promotion, books, datasets, markets, and the inbox.

The assets are ``islandflow_assets``; what starts the jobs is ``sensors``,
``schedules`` and ``cli``.
"""

import json
from collections.abc import Callable

import dagster as dg

from contracts.campaign import load_campaign
from contracts.canonical import MAX_DOCUMENT_BYTES
from contracts.errors import ContractError
from contracts.experiment import load_experiment
from contracts.mbo import load_mbo_spec
from contracts.pipeline import load_dataset_campaign, load_pipeline
from contracts.scenario import load_scenario
from contracts.strategy import load_strategy
from contracts.tape import load_profile
from contracts.yaml_text import parse_text
from islandflow_assets.backtests import backtest_result, screening_result
from islandflow_assets.books import book_checkpoint, mbo_source, mbo_tape
from islandflow_assets.campaign_reports import (
    campaign_leaderboard,
    campaign_robustness,
    overfit_report,
    promotion_dossier,
)
from islandflow_assets.campaigns import campaign_trials, trial_shares
from islandflow_assets.catalogue import duckdb_catalogue
from islandflow_assets.control_state import control_state
from islandflow_assets.detection_reports import coverage_report, detection_report
from islandflow_assets.grids import grid_dataset, recorded_grid_dataset
from islandflow_assets.leaderboards import backtest_summary, leaderboard, screening_leaderboard
from islandflow_assets.market_tapes import (
    market_session,
    replay_plan,
    tape,
    tape_labels,
    tape_manifest,
)
from islandflow_assets.partitions import refuse_temporary
from islandflow_assets.pipeline_datasets import dataset_campaign, pipeline_dataset
from islandflow_assets.scenarios import scenario_dataset, scenario_spec
from islandflow_assets.serving import published_serving_spec
from islandflow_assets.smart_flow import (
    flow_packets,
    smart_flow_alerts,
    smart_flow_hypotheses,
    smart_money_events,
)
from islandflow_assets.strategies import strategy_ir, strategy_spec
from islandflow_assets.validations import monte_carlo_summary, walk_forward_summary
from islandflow_jobs.executor import campaign_executor
from islandflow_jobs.registration import (
    register_campaign,
    register_dataset_spec,
    register_markets,
    register_scenarios,
    register_strategy,
    register_tapes,
)
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore, is_own, is_readable
from islandflow_resources.tape_requests import TapeRequest

SCENARIO_INBOX = "inbox/scenarios/"
STRATEGY_INBOX = "inbox/strategies/"
CAMPAIGN_INBOX = "inbox/campaigns/"
TAPE_INBOX = "inbox/tapes/"
MARKET_INBOX = "inbox/market_tapes/"
PIPELINE_INBOX = "inbox/pipelines/"
DATASET_INBOX = "inbox/datasets/"
EXPERIMENT_INBOX = "inbox/experiments/"
INBOXES = (
    SCENARIO_INBOX,
    STRATEGY_INBOX,
    CAMPAIGN_INBOX,
    TAPE_INBOX,
    MARKET_INBOX,
    PIPELINE_INBOX,
    DATASET_INBOX,
    EXPERIMENT_INBOX,
)
REGISTERED = "registered/"
_OWN_FIELD = {
    SCENARIO_INBOX: "family",
    STRATEGY_INBOX: "rules",
    CAMPAIGN_INBOX: "strategies",
    TAPE_INBOX: "scenario",
    MARKET_INBOX: "universe",
    PIPELINE_INBOX: "capture",
    DATASET_INBOX: "base",
    EXPERIMENT_INBOX: "serving",
}
"""Which field tells what a document is."""

_INPUTS = [scenario_spec, scenario_dataset, strategy_spec, strategy_ir]

research = dg.define_asset_job(
    "research",
    selection=[*_INPUTS, backtest_result, backtest_summary, leaderboard],
    description="Scenarios to datasets to backtests, for a range of scenario × seed.",
    executor_def=dg.in_process_executor,
)
t0_screen = dg.define_asset_job(
    "t0_screen",
    selection=[*_INPUTS, screening_result, screening_leaderboard],
    description="All strategies over the first thousand bars of a range of scenario × seed.",
    executor_def=dg.in_process_executor,
)
t1_full = dg.define_asset_job(
    "t1_full",
    selection=[*_INPUTS, backtest_result, leaderboard],
    description="All strategies over all bars of a range of scenario × seed, and their ranking.",
    executor_def=dg.in_process_executor,
)
validation = dg.define_asset_job(
    "validation",
    selection=[*_INPUTS, monte_carlo_summary, walk_forward_summary],
    description="Monte Carlo and walk-forward of all strategies for a range of scenario × seed.",
    executor_def=dg.in_process_executor,
)
campaign = dg.define_asset_job(
    "campaign",
    selection=[
        trial_shares,
        campaign_trials,
        campaign_leaderboard,
        campaign_robustness,
        overfit_report,
        promotion_dossier,
    ],
    description="All trials of a campaign, what they say, and whether the best may be promoted.",
    executor_def=campaign_executor(),
)
promotion = dg.define_asset_job(
    "promotion",
    selection=[published_serving_spec],
    description="Publish the winner of a campaign and move its alias, once.",
    executor_def=dg.in_process_executor,
)
books = dg.define_asset_job(
    "books",
    selection=[mbo_tape, grid_dataset],
    description="Tapes of order books and their grids, for a range of tape × seed.",
    executor_def=dg.in_process_executor,
)
recorded_books = dg.define_asset_job(
    "recorded_books",
    selection=[mbo_source, book_checkpoint, recorded_grid_dataset],
    description="Recorded order books: their check, checkpoint and grid.",
    executor_def=dg.in_process_executor,
)
pipeline_datasets = dg.define_asset_job(
    "pipeline_datasets",
    selection=[pipeline_dataset],
    description="Grids of registered pipelines, and their tapes where they are missing.",
    executor_def=dg.in_process_executor,
)
dataset_campaigns = dg.define_asset_job(
    "dataset_campaigns",
    selection=[dataset_campaign],
    description="All datasets of a registered campaign that are missing, the others verified.",
    executor_def=dg.in_process_executor,
)
market_tapes = dg.define_asset_job(
    "market_tapes",
    selection=[control_state, tape, market_session, tape_labels, tape_manifest, replay_plan],
    description="Synthetic sessions of options and equities, for a range of market × seed.",
    executor_def=dg.in_process_executor,
)
smart_flow = dg.define_asset_job(
    "smart_flow",
    selection=[
        flow_packets,
        smart_flow_hypotheses,
        smart_flow_alerts,
        smart_money_events,
        detection_report,
        coverage_report,
    ],
    description="What tapes hold as a detector sees it, and how right that is, for market × seed.",
    executor_def=dg.in_process_executor,
)
control = dg.define_asset_job(
    "control",
    selection=[control_state],
    description="The control log of the deployment as it now stands.",
    executor_def=dg.in_process_executor,
)
catalogue = dg.define_asset_job(
    "catalogue",
    selection=[duckdb_catalogue],
    description="The DuckDB catalogue of everything that is stored now.",
    executor_def=dg.in_process_executor,
)


@dg.op
def register_documents(
    context: dg.OpExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> None:
    """Register every document of the inbox; quarantine what is broken, with its errors.

    The inbox is empty afterwards: accepted documents move to ``registered/``, broken
    ones to ``quarantine/``, and neither keeps the others from being registered.
    """
    with reported(context):
        refuse_temporary(context.instance)
        for key in waiting(store, SCENARIO_INBOX):
            _register(context, store, key, lambda data: _scenario(database, context.instance, data))
        for key in waiting(store, STRATEGY_INBOX):
            _register(context, store, key, lambda data: _strategy(database, data))
        for key in waiting(store, TAPE_INBOX):
            _register(
                context, store, key, lambda data: _tape(store, database, context.instance, data)
            )
        for key in waiting(store, MARKET_INBOX):
            _register(
                context, store, key, lambda data: _market(store, database, context.instance, data)
            )
        for key in (*waiting(store, PIPELINE_INBOX), *waiting(store, DATASET_INBOX)):
            _register(
                context, store, key, lambda data: _datasets(store, database, context.instance, data)
            )
        # Last, because a campaign may name what lay in the other inboxes.
        for key in waiting(store, CAMPAIGN_INBOX):
            _register(
                context, store, key, lambda data: _campaign(store, database, context.instance, data)
            )
        for key in waiting(store, EXPERIMENT_INBOX):
            _register(
                context,
                store,
                key,
                lambda data: _experiment(store, database, context.instance, data),
            )


@dg.job(executor_def=dg.in_process_executor)
def register_inbox() -> None:
    """Documents under ``inbox/`` of the store become partitions, strategies and campaigns."""
    register_documents()


def waiting(store: ObjectStore, place: str) -> list[str]:
    """Keys of the documents of an inbox; what no store would read under its name stays there."""
    return [key for key in store.keys(place) if is_readable(key)]


def _scenario(database: Database, instance: dg.DagsterInstance, data: bytes) -> str:
    [registered] = register_scenarios(database, instance, [load_scenario(data)])
    return registered.key


def _strategy(database: Database, data: bytes) -> str:
    return register_strategy(database, load_strategy(data)).key


def _tape(store: ObjectStore, database: Database, instance: dg.DagsterInstance, data: bytes) -> str:
    [registered] = register_tapes(store, database, instance, [load_mbo_spec(data)])
    return registered.key


def _market(
    store: ObjectStore, database: Database, instance: dg.DagsterInstance, data: bytes
) -> str:
    request = TapeRequest(load_profile(data))
    [registered] = register_markets(store, database, instance, [request])
    return registered.key


def _datasets(
    store: ObjectStore, database: Database, instance: dg.DagsterInstance, data: bytes
) -> str:
    is_campaign = _OWN_FIELD[DATASET_INBOX] in parse_text(data, "document")
    spec = load_dataset_campaign(data) if is_campaign else load_pipeline(data)
    return register_dataset_spec(store, database, instance, spec).key


def _campaign(
    store: ObjectStore, database: Database, instance: dg.DagsterInstance, data: bytes
) -> str:
    registered, _ = register_campaign(store, database, instance, load_campaign(data))
    return registered.key


def _experiment(
    store: ObjectStore, database: Database, instance: dg.DagsterInstance, data: bytes
) -> str:
    registered, _ = register_campaign(store, database, instance, load_experiment(data))
    return registered.key


def _register(
    context: dg.OpExecutionContext, store: ObjectStore, key: str, register: Callable[[bytes], str]
) -> None:
    try:
        with store.open(key) as file:
            # No more than tells that it is too large: whoever may write here may write anything.
            data = file.read(MAX_DOCUMENT_BYTES + 1)
        _refuse_wrong_inbox(key, data)
        name = register(data)
    except ContractError as error:
        moved = store.quarantine(key)
        # Beside the document, or above all folders whose names are not ours to write.
        folder = moved.rsplit("/", 1)[0]
        place = folder if is_own(folder) else "/".join(moved.split("/")[:2])
        store.put_if_absent(f"{place}/errors.json", _report(key, error))
        context.log.error(f"{key} is broken and lies in {moved}: {error}")
        return
    store.set_aside(key, REGISTERED)
    context.log.info(f"{key} is registered as {name}")


def _refuse_wrong_inbox(key: str, data: bytes) -> None:
    """Say where a document belongs, instead of listing all the fields that it lacks."""
    fields = parse_text(data, "document").keys()
    right = [inbox for inbox, own in _OWN_FIELD.items() if own in fields]
    if len(right) == 1 and not key.startswith(right[0]):
        message = f"the document has {_OWN_FIELD[right[0]]!r}, which belongs elsewhere"
        raise ContractError("INBOX_WRONG", message, key, (f"put it under {right[0]}",))


def _report(key: str, error: ContractError) -> bytes:
    problems = [
        {"code": p.code, "loc": p.loc, "message": p.message, "hints": list(p.hints)}
        for p in error.problems
    ]
    return json.dumps({"document": key, "problems": problems}, indent=2).encode() + b"\n"
