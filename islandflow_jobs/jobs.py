"""``research``, the main job, and ``register_inbox``, which empties the inbox.

The assets are ``islandflow_assets``; what starts the jobs is ``sensors``,
``schedules`` and ``cli``.
"""

import json

import dagster as dg

from contracts.errors import ContractError
from contracts.scenario import ScenarioSpec, load_scenario
from islandflow_assets.backtests import backtest_result, backtest_summary
from islandflow_assets.partitions import refuse_temporary
from islandflow_assets.scenarios import scenario_dataset, scenario_spec
from islandflow_jobs.registration import register_scenarios
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore

INBOX = "inbox/scenarios/"
REGISTERED = "registered/"

research = dg.define_asset_job(
    "research",
    selection=[scenario_spec, scenario_dataset, backtest_result, backtest_summary],
    description="Scenarios to datasets to backtests, for a range of scenario × seed.",
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
        for key in store.keys(INBOX):
            _register(context, store, database, key)


@dg.job(executor_def=dg.in_process_executor)
def register_inbox() -> None:
    """Scenario documents under ``inbox/scenarios/`` of the store become partitions."""
    register_documents()


def _register(
    context: dg.OpExecutionContext, store: ObjectStore, database: Database, key: str
) -> None:
    spec = _read(store, key)
    if isinstance(spec, ContractError):
        moved = store.quarantine(key)
        store.put_if_absent(f"{moved.rsplit('/', 1)[0]}/errors.json", _report(key, spec))
        context.log.error(f"{key} is broken and lies in {moved}: {spec}")
        return
    [registered] = register_scenarios(database, context.instance, [spec])
    store.set_aside(key, REGISTERED)
    context.log.info(f"{key} is registered as {registered.key}")


def _read(store: ObjectStore, key: str) -> ScenarioSpec | ContractError:
    try:
        return load_scenario(store.get(key))
    except ContractError as error:
        return error


def _report(key: str, error: ContractError) -> bytes:
    problems = [
        {"code": p.code, "loc": p.loc, "message": p.message, "hints": list(p.hints)}
        for p in error.problems
    ]
    return json.dumps({"document": key, "problems": problems}, indent=2).encode() + b"\n"
