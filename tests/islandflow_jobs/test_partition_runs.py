"""Runs of many partitions asked for at once: which, and the newest first."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from islandflow_jobs.partition_runs import CHUNK, chunks, runs_by_partition


@dg.job
def one():
    """A job with nothing in it."""


@dg.job
def other():
    """Another."""


def test_runs_stand_by_partition_the_newest_first():
    with dg.DagsterInstance.ephemeral() as instance:

        def add(key, status=dg.DagsterRunStatus.SUCCESS, job=one):
            tags = {"dagster/partition": key}
            return instance.create_run_for_job(job, status=status, tags=tags).run_id

        first, second, _ = add("a"), add("a", dg.DagsterRunStatus.FAILURE), add("a", job=other)
        third = add("b")

        def found(*args):
            by_key = runs_by_partition(instance, "one", *args)
            return {key: [run.run_id for run in runs] for key, runs in by_key.items()}

        assert found() == {"a": [second, first], "b": [third]}
        assert found(["b", "c"]) == {"b": [third]}
        assert found(None, [dg.DagsterRunStatus.FAILURE]) == {"a": [second]}
        assert found(None, [], datetime.now(UTC) + timedelta(minutes=1)) == {}


def test_chunks_hold_every_key_once_in_order():
    for count in (0, 1, CHUNK, CHUNK + 1, 3 * CHUNK):
        keys = [str(number) for number in range(count)]
        made = list(chunks(keys))
        assert [key for chunk in made for key in chunk] == keys
        assert all(0 < len(chunk) <= CHUNK for chunk in made)
