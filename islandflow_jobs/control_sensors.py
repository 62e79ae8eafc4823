"""The sensor that follows the control log: sessions that a change affects are made, no others.

It decides, jobs act: besides the partitions that it asks Dagster to add, nothing is written here.
What a request means is ``islandflow_resources.tape_requests``; the spec of a key that was added
here is entered by the run that it starts.
"""

from collections.abc import Iterator

import dagster as dg

from contracts.control import ControlLog
from islandflow_assets.partitions import MARKET, SEED, range_tags
from islandflow_jobs.jobs import control, market_tapes
from islandflow_jobs.missing import missing_ranges
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.tape_requests import is_registered, registered_requests, resolved


@dg.sensor(jobs=[market_tapes, control], minimum_interval_seconds=30)
def follow_control(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.SensorResult | dg.SkipReason:
    """Make anew what a new revision of the control means, and keep the log as it is now.

    Every request that names the log is resolved again. One whose tape ends before the change
    means what it meant, and is left alone; so is one that somebody has registered since.
    """
    history = ControlLogStore(database).history()
    revision = history[-1].revision
    if revision == int(context.cursor or 0):
        return dg.SkipReason(f"revision {revision} of the control is known")
    log = ControlLog(versions=tuple(one.version for one in history))
    affected = dict(_affected(database, log))
    seeds = _in_order(context.instance, affected)
    return dg.SensorResult(
        cursor=str(revision),
        dynamic_partitions_requests=[
            MARKET.build_add_request(list(affected)),
            SEED.build_add_request(seeds),
        ]
        if affected
        else [],
        run_requests=[
            dg.RunRequest(run_key=f"control:{revision}", job_name=control.name),
            *_runs(affected, seeds),
        ],
    )


def _affected(database: Database, log: ControlLog) -> Iterator[tuple[str, list[str]]]:
    """Partition keys that are new under a log, each with the seeds that are wanted of it."""
    found: dict[str, list[str]] = {}
    for request in registered_requests(database):
        if not request.follows_deployment:
            continue
        tape = resolved(request, log)
        found.setdefault(tape.key, []).extend(str(seed) for seed in request.seeds_of(tape.spec))
    for key, seeds in found.items():
        if not is_registered(database, key):
            yield key, list(dict.fromkeys(seeds))


def _in_order(instance: dg.DagsterInstance, affected: dict[str, list[str]]) -> list[str]:
    """Every seed in the order that it will have been registered in."""
    known = list(instance.get_dynamic_partitions("seed"))
    return list(dict.fromkeys([*known, *(seed for seeds in affected.values() for seed in seeds)]))


def _runs(affected: dict[str, list[str]], seeds: list[str]) -> Iterator[dg.RunRequest]:
    """One run for the seeds of a key that follow on each other."""
    for key, wanted in affected.items():
        for first, last in missing_ranges([key], seeds, {f"{key}|{seed}" for seed in wanted}):
            yield dg.RunRequest(
                run_key=f"market:{first}...{last}",
                job_name=market_tapes.name,
                tags=range_tags(first, last),
            )
