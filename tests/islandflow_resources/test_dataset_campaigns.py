"""Campaigns of datasets: expanded and checked whole, made once, resumed, summed up."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from contracts.errors import ContractError, NotFoundError
from islandflow_resources.dataset_campaigns import (
    make_dataset_campaign,
    ready_dataset_campaign,
    register_dataset_campaign,
    registered_dataset_campaign,
)
from islandflow_resources.grid_datasets import open_grid
from islandflow_resources.mbo_tapes import register_spec
from islandflow_resources.progress import listening
from tests.graph import KERNELS
from tests.islandflow_resources.books import RUN, RUNTIME, embedded, flip
from tests.islandflow_resources.pipelines import (
    TAPE,
    campaign,
    campaign_document,
    made,
    pipeline_document,
)


@pytest.fixture
def place(tmp_path):
    return embedded(tmp_path)


def run(place, spec=None):
    ready = ready_dataset_campaign(*place, spec or campaign())
    return make_dataset_campaign(*place, RUNTIME, ready, RUN)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A store with a campaign's datasets, and what was told of them."""
    place = embedded(tmp_path_factory.mktemp("campaign"))
    told = []
    with listening(lambda *one: told.append(one)):
        finished = run(place)
    return place, finished, told


def test_every_combination_has_its_dataset_and_the_summary_says_which(done, tmp_path):
    (store, database), finished, told = done
    assert finished.problems == []
    assert told == [("datasets", number, 4) for number in range(5)]
    ready = ready_dataset_campaign(store, database, campaign())
    summary = json.loads(store.get(finished.summary.key))
    assert summary["campaign_hash"] == ready.spec.campaign_hash
    assert [row["pipeline"] for row in summary["datasets"]] == [
        one.spec.name for one in ready.pipelines
    ]
    for pipeline, row in zip(ready.pipelines, summary["datasets"], strict=True):
        dataset = open_grid(store, database, row["dataset_id"], tmp_path)
        assert dataset.content_digest == row["content_digest"]
        assert dataset.bins == row["bins"]
        assert row["overrides"] == pipeline.spec.pipeline.document()
        assert dataset.manifest["config"] == pipeline.config.identity()
    assert len({row["dataset_id"] for row in summary["datasets"]}) == 4
    [row] = database.artefacts(what="dataset_campaign_summary")
    assert (row.scenario_key, row.object_key) == (ready.key, finished.summary.key)


def test_a_second_run_finds_everything_and_adds_nothing(done):
    place, finished, _ = done
    before = place[0].keys("")
    again = run(place)
    assert all(one.used_cache for one in again.datasets)
    assert place[0].keys("") == before
    assert again.summary.content_digest == finished.summary.content_digest
    assert again.summary.used_cache


def test_what_stands_already_is_not_made_again(place, tmp_path):
    ready = ready_dataset_campaign(*place, campaign())
    first = made(*place, tmp_path / "a", ready.pipelines[2].spec)
    resumed = run(place)
    assert [one.used_cache for one in resumed.datasets] == [False, False, True, False]
    assert resumed.datasets[2].dataset_id == first.dataset_id


CHILD = """
import json, sys
from pathlib import Path
from contracts.pipeline import load_dataset_campaign
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.folder_store import FolderStore
home, kernels = map(Path, sys.argv[1:])
runtime = EngineRuntime(1, 256, kernels)
runtime.prepare()
from islandflow_resources.dataset_campaigns import make_dataset_campaign, ready_dataset_campaign
from islandflow_resources.progress import listening
place = FolderStore(home / "objects"), Database(f"sqlite:///{home / 'islandflow.db'}")
spec = load_dataset_campaign(sys.stdin.read())
ready = ready_dataset_campaign(*place, spec)
with listening(lambda noun, done, total: print(done, flush=True)):
    make_dataset_campaign(*place, runtime, ready, "killed")
"""


def test_a_campaign_that_is_killed_goes_on_and_makes_nothing_twice(done, tmp_path):
    place = embedded(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), str(KERNELS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        child.stdin.write(json.dumps(campaign_document()))
        child.stdin.close()
        while child.stdout.readline().strip() != "1":
            assert child.poll() is None, "the campaign ended before its first dataset"
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    first = {row.scenario_key: row.run_id for row in place[1].artefacts(what="grid_dataset")}
    assert 1 <= len(first) < 4
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "objects").rglob("*.parquet")}
    time.sleep(0.01)
    resumed = run(place)
    assert sum(one.used_cache for one in resumed.datasets) >= len(first)
    rows = {row.scenario_key: row.run_id for row in place[1].artefacts(what="grid_dataset")}
    assert first.items() <= rows.items()
    found = {path for path in stamps if path.exists()}
    assert {path: path.stat().st_mtime_ns for path in found} == {
        path: stamps[path] for path in found
    }
    _, finished, _ = done
    assert resumed.summary.content_digest == finished.summary.content_digest


def test_a_dataset_that_is_damaged_keeps_no_other_from_being_made_but_the_summary(place, tmp_path):
    ready = ready_dataset_campaign(*place, campaign())
    first = made(*place, tmp_path / "a", ready.pipelines[0].spec)
    flip(place[0].root / f"datasets/{first.dataset_id}/grid.parquet")
    finished = run(place)
    assert [one.is_damaged for one in finished.datasets] == [True, False, False, False]
    [(name, problem)] = finished.problems
    assert (name, problem.code) == (ready.pipelines[0].spec.name, "GRID_DAMAGED")
    assert finished.summary is None
    assert place[1].artefacts(what="dataset_campaign_summary") == []


def test_a_campaign_is_registered_with_its_base_written_out(place):
    register_spec(*place, TAPE)
    named = campaign(base=pipeline_document(capture={"tape": TAPE.id}))
    ready = ready_dataset_campaign(*place, named)
    assert ready.key == ready_dataset_campaign(*place, campaign()).key
    entry = register_dataset_campaign(*place, ready)
    assert (entry.key, entry.new) == (ready.key, True)
    assert not register_dataset_campaign(*place, ready).new
    for name in (ready.key, "decays"):
        found = registered_dataset_campaign(place[1], name)
        assert found == ready
        assert [one.key for one in found.pipelines] == [one.key for one in ready.pipelines]
    with pytest.raises(NotFoundError, match="DATASET_CAMPAIGN_NOT_REGISTERED"):
        registered_dataset_campaign(place[1], "others")


def test_combinations_that_do_not_go_together_are_told_before_anything_is_made(place):
    wrong = campaign(bundles=[{}, {"flow_windows": [2]}, {"flow_windows": [2, 3, 4]}])
    with pytest.raises(ContractError) as caught:
        ready_dataset_campaign(*place, wrong)
    assert [problem.loc for problem in caught.value.problems] == ["/axes"] * 4
    assert all("tau_rest_decay" in problem.message for problem in caught.value.problems)
    with pytest.raises(ContractError) as caught:
        ready_dataset_campaign(*place, campaign(base=pipeline_document(capture={"tape": "no"})))
    assert (caught.value.code, caught.value.loc) == ("TAPE_NOT_REGISTERED", "/base/capture/tape")
    assert place[0].keys("") == []


def test_what_differs_from_run_to_run_is_no_part_of_the_summary(done):
    _, finished, _ = done
    for one in finished.datasets:
        assert replace(one, used_cache=not one.used_cache, seconds=9.0).document == one.document
