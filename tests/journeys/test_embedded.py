"""Runs of the job in the embedded profile: the same objects and rows however they are made."""

import pytest

from tests.journeys import children
from tests.journeys.state import SEALED, state_of

pytestmark = pytest.mark.xdist_group("journeys")


def test_single_partitions_on_one_thread_in_reverse_make_the_objects_of_a_batch(
    registered_home, batch_state, forker, tmp_path
):
    home = registered_home.copied(tmp_path / "singles", forker)
    environment = {**home.environment, "ISLANDFLOW_THREADS": "1"}
    for partition in reversed(home.partitions):
        forker.run(home.research_one(partition), environment).expect()
    state = state_of(environment)
    assert state.derived == batch_state.derived
    assert state.rows == batch_state.rows
    assert batch_state.objects.items() <= state.objects.items()


def test_a_batch_stores_every_object_of_every_partition_once(registered_home, batch_state):
    names = sorted(key.rsplit("/", 1)[1] for key in batch_state.objects)
    cells = len(registered_home.partitions)
    per_dataset = ["dataset.parquet", "manifest.json", "provenance.json"]
    per_result = ["equity.parquet", "metrics.json", "result.json", "trades.parquet"]
    labelled = [key for key in batch_state.objects if key.startswith("labels/")]
    assert len(labelled) == registered_home.seeds
    markets = ["spec.json"] * len(registered_home.scenario_keys)
    strategies = ["spec.json", "ir.json"]
    wanted = (per_dataset + per_result) * cells + markets + ["labels.parquet"] * len(labelled)
    tables = ["summary.parquet", "leaderboard.parquet"]
    assert names == sorted([*wanted, *strategies, *tables])
    assert list(batch_state.objects.values()).count(SEALED) == cells


@pytest.mark.faults
def test_two_runs_of_the_same_partitions_at_once_both_succeed(
    registered_home, batch_state, forker, tmp_path
):
    home = registered_home.copied(tmp_path / "twins", forker)
    twins = [forker.start(home.research, home.environment) for _ in range(2)]
    for done in [forker.wait(twin) for twin in twins]:
        assert "RUN_SUCCESS" in done.expect()
    assert state_of(home.environment) == batch_state
    forker.run(children.islandflow("verify", "--all"), home.environment).expect()
