"""Fifty runs at once: through the queue of the project's deployment, and all in the same moment.

Queued: submitted to the UI's server together and launched by the daemon, as many at a time as
``dagster.yaml`` allows, each in a process of its own. At once: fifty forked processes that run a
job on one instance, on PostgreSQL, and one registry, on SQLite. Dagster's own SQLite waits
five seconds for a lock, then the run fails: that is why the embedded profile queues them. Parity:
every run has succeeded, and what they were to make stands once.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path

import dagster as dg

from benchmarks.load_pages import question
from benchmarks.load_partitions import on_postgres
from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_resources import datasets
from tests.browser.ui import served
from tests.graph import CALM, QUIET, Graph, market, open_graph
from tests.postgres import run_postgres

JOB = "register_inbox"
PATIENCE_S = 3_600.0
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on PythonError { message } } }"""
_RUNNING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_SUCCESS = [dg.DagsterRunStatus.SUCCESS]
_LOST = [dg.DagsterRunStatus.FAILURE]


def rows(runs: int) -> list[list[str]]:
    """Lines of the table: what, seconds, and what was wanted."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_graph(Path(folder) / "home") as graph,
    ):
        with run_postgres() as server, on_postgres(server, Path(folder) / "pg") as instance:
            at_once = _at_once(Graph(graph.resources, instance), runs)
        queued, most, lost = _queued(graph, Path(folder), runs)
    wanted = "all succeed"
    return [
        [f"PostgreSQL: {runs} runs in {runs} processes at once", f"{at_once:.0f} s", "", wanted],
        [
            f"SQLite: {runs} runs queued, {most} at a time, {lost} launched again",
            f"{queued:.0f} s",
            "",
            wanted,
        ],
    ]


def _at_once(graph: Graph, runs: int) -> float:
    """Seconds until as many forked processes have each made one dataset of their own seed."""
    [key] = graph.register(market(CALM), seeds=range(runs + 1))
    if not _make(graph, Partition(key, runs)):  # loads the kernels, which the forks then share
        raise AssertionError("one run by itself fails")
    context = multiprocessing.get_context("fork")
    gate, answers = context.Event(), context.SimpleQueue()

    def work(seed: int) -> None:
        gate.wait()
        answers.put(_make(graph, Partition(key, seed)))

    workers = [context.Process(target=work, args=(seed,)) for seed in range(runs)]
    for worker in workers:
        worker.start()
    start = time.perf_counter()
    gate.set()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    succeeded = 0
    while not answers.empty():
        succeeded += answers.get()
    made = [row.seed for row in graph.resources.database.artefacts(what=datasets.WHAT)]
    done = graph.instance.get_materialized_partitions(dg.AssetKey(keys.SCENARIO_DATASET))
    if (succeeded, made, len(done)) != (runs, list(range(runs + 1)), runs + 1):
        raise AssertionError(f"{succeeded} of {runs} runs succeeded and made {len(made)} datasets")
    return seconds


def _make(graph: Graph, cell: Partition) -> bool:
    from islandflow_jobs.definitions import defs  # which want to know a home

    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=graph.instance,
        partition_key=cell.key,
        asset_selection=[dg.AssetKey(keys.SCENARIO_SPEC), dg.AssetKey(keys.SCENARIO_DATASET)],
        run_config=QUIET,
        raise_on_error=False,
    )
    return result.success


def _queued(graph: Graph, folder: Path, runs: int) -> tuple[float, int, int]:
    """Seconds until as many have succeeded, the most that ran together, and how many were lost.

    A run whose worker was lost or could not be started in a minute is launched again by Dagster.
    """
    instance = graph.instance
    selector = {
        "repositoryLocationName": "islandflow",
        "repositoryName": "__repository__",
        "jobName": JOB,
    }
    most = 0
    with served(folder) as address:
        start = time.perf_counter()
        for _ in range(runs):
            launched = question(address, _LAUNCH, {"params": {"selector": selector}})
            if launched["launchRun"]["__typename"] != "LaunchRunSuccess":
                raise AssertionError(launched)
        while _count(instance, _SUCCESS) < runs:
            if time.perf_counter() - start > PATIENCE_S:
                raise AssertionError(f"{_count(instance, _SUCCESS)} of {runs} runs succeeded")
            most = max(most, _count(instance, _RUNNING))
            time.sleep(0.5)
        seconds = time.perf_counter() - start
    return seconds, most, _count(instance, _LOST)


def _count(instance: dg.DagsterInstance, statuses: list[dg.DagsterRunStatus]) -> int:
    return instance.get_runs_count(dg.RunsFilter(job_name=JOB, statuses=statuses))
