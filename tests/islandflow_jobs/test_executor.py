"""Parallel steps through Dagster's multiprocess executor: the same digests as in one process."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_jobs.executor import campaign_executor
from islandflow_resources.process_environment import process_environment
from tests.campaign_graph import campaign_home, empty_home, only_campaign, register
from tests.graph import graph_of, write_json
from tests.islandflow_resources.campaigning import document

TOP = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300.0
REPORTS = (
    *(keys.CAMPAIGN_TRIALS, keys.CAMPAIGN_LEADERBOARD, keys.CAMPAIGN_ROBUSTNESS),
    *(keys.OVERFIT_REPORT, keys.PROMOTION_DOSSIER),
)


def versions(graph):
    """Data version of every report of the one campaign."""
    found = {}
    for asset in REPORTS:
        wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[only_campaign(graph)])
        [record] = graph.instance.fetch_materializations(wanted, limit=1).records
        found[asset] = record.asset_materialization.tags["dagster/data_version"]
    return found


def child(graph, *command, **variables):
    """A command in a process of its own, on the home of a graph."""
    environment = {**os.environ, **process_environment(graph.resources.settings), **variables}
    return subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *map(str, command[1:])],
        capture_output=True,
        text=True,
        cwd=TOP,
        env=environment,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def expected():
    """Data versions of the campaign as one process makes it."""
    with graph_of(campaign_home()) as graph:
        return versions(graph)


def test_one_process_is_the_default(monkeypatch):
    monkeypatch.delenv("ISLANDFLOW_EXECUTOR", raising=False)
    assert campaign_executor() is dg.in_process_executor


def test_parallel_steps_are_as_many_as_the_threads(monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_EXECUTOR", "multiprocess")
    assert campaign_executor().name == "multiprocess"


def test_parallel_processes_give_the_digests_of_one(tmp_path, expected):
    path = write_json(tmp_path / "campaign.json", document())
    with graph_of(empty_home()) as graph:
        done = child(
            graph,
            *("islandflow", "campaign", "run", path, "--executor", "multiprocess"),
            ISLANDFLOW_THREADS="2",
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0] == "computed 24 of 24 trials, found the others recorded"
        assert lines[-1] == "served as best, revision 1"
        assert versions(graph) == expected
        run = next(one for one in graph.instance.get_runs() if one.job_name == "campaign")
        started = [
            entry.dagster_event
            for entry in graph.instance.all_logs(run.run_id)
            if entry.dagster_event
            and entry.dagster_event.event_type == dg.DagsterEventType.STEP_WORKER_STARTED
        ]
        shares = {one.step_key for one in started if "make_share" in (one.step_key or "")}
        assert len(shares) == 2


def test_the_job_of_a_registered_campaign_runs_from_dagsters_own_command(expected):
    with graph_of(empty_home()) as graph:
        tags = f'{{"dagster/partition": "{register(graph)}"}}'
        done = child(
            graph,
            *("dagster", "job", "execute", "-m", "islandflow_jobs.definitions"),
            *("-j", "campaign", "--tags", tags),
        )
        assert done.returncode == 0, done.stderr
        assert versions(graph) == expected
