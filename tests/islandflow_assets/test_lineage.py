"""The events of a batch, held to what the pinned Dagster makes of them."""

import dagster as dg
import pytest
from dagster._core.definitions.data_version import (
    CachingStaleStatusResolver,
    StaleStatus,
)
from dagster._core.loader import LoadingContextForTest

from contracts.errors import Problem
from islandflow_assets import backtests, keys, lineage, scenarios
from islandflow_assets.partitions import GRID, Partition
from islandflow_jobs.definitions import defs
from tests.graph import Run

DIGEST = "sha256:" + "ab" * 32
CELLS = [Partition("a", 1), Partition("a", 2), Partition("b", 1), Partition("b", 2)]


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("scenario", ["a", "b"])
        instance.add_dynamic_partitions("seed", ["1", "2"])
        yield instance


def published(cell, digest=DIGEST, inputs=None, metadata=None):
    return lineage.Published(cell, digest, inputs or {}, metadata or {})


def run_batch(instance, output, cells):
    """Run a step over the whole grid that publishes `cells`, and a step after it."""
    ran = []

    @dg.asset(
        name="batch",
        partitions_def=GRID,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_type=dg.Nothing,
    )
    def batch(context):
        yield output
        yield from lineage.materialisations("batch", "1", [published(cell) for cell in cells])

    @dg.asset(deps=[batch])
    def after() -> None:
        ran.append(True)

    tags = {
        "dagster/asset_partition_range_start": "a|1",
        "dagster/asset_partition_range_end": "b|2",
    }
    result = dg.Definitions(assets=[batch, after]).resolve_implicit_global_asset_job_def()
    return Run(result.execute_in_process(instance=instance, tags=tags), instance), ran


def partitions_with_events(run):
    return sorted(
        str(event.partition)
        for event in run.events
        if event.is_step_materialization and event.asset_key == dg.AssetKey("batch")
    )


def test_a_batch_leaves_one_event_for_each_published_partition_and_no_other(instance):
    run, _ = run_batch(instance, lineage.output(), CELLS[:3])
    assert run.success
    assert partitions_with_events(run) == ["a|1", "a|2", "b|1"]
    assert [event for event in run.events if event.is_asset_observation] == []
    done = instance.get_materialized_partitions(dg.AssetKey("batch"))
    assert done == {"a|1", "a|2", "b|1"}


def test_without_the_marker_dagster_claims_every_partition_once_more(instance):
    run, _ = run_batch(instance, dg.Output(None), CELLS[:1])
    assert partitions_with_events(run) == ["a|1", "a|1", "a|2", "b|1", "b|2"]


def test_steps_after_a_batch_run_even_when_nothing_was_published(instance):
    run, ran = run_batch(instance, lineage.output(), [])
    assert run.success
    assert ran == [True]


def test_an_event_carries_its_versions_and_those_of_its_inputs():
    other = "sha256:" + "cd" * 32
    one = published(CELLS[0], inputs={"upstream": other}, metadata={"rows": 3})
    [event] = lineage.materialisations("batch", "1.2", [one], {"upstream": "77"})
    assert event.tags == {
        "dagster/data_version": "ab" * 32,
        "dagster/data_version_is_user_provided": "true",
        "dagster/code_version": "1.2",
        "dagster/input_data_version/upstream": "cd" * 32,
        "dagster/input_event_pointer/upstream": "77",
    }
    assert (event.partition, event.metadata["rows"].value) == ("a|1", 3)


def test_a_check_blocks_only_when_no_partition_passed():
    problem = Problem("X", "is bad", "/here")
    verdicts = [
        lineage.Verdict("whole", 4),
        lineage.Verdict("partly", 3, [(CELLS[0], problem)]),
        lineage.Verdict("none", 0, [(CELLS[0], problem)]),
        lineage.Verdict("empty", 0),
    ]
    results = list(lineage.check_results("batch", verdicts))
    blocking = dg.AssetCheckSeverity.ERROR
    assert [one.passed for one in results] == [True, False, False, True]
    assert [one.severity == blocking for one in results] == [False, False, True, False]


def test_a_failed_check_names_the_first_partition_and_counts_the_rest():
    problem = Problem("X", "is bad", "/here", ("mend it",))
    verdict = lineage.Verdict("partly", 2, [(cell, problem) for cell in CELLS[:2]])
    [result] = lineage.check_results("batch", [verdict])
    assert result.description == (
        "2 of 4 partitions fail: a|1 (X at /here: is bad (hint: mend it)), and 1 more"
    )
    assert result.metadata["partitions_passed"].value == 2
    assert result.metadata["partitions_failed"].value == 2
    [first, second] = result.metadata["failures"].records
    assert first.data == {"partition": "a|1", "code": "X", "where": "/here", "message": "is bad"}
    assert second.data["partition"] == "a|2"


def test_a_check_that_holds_says_for_how_many_and_shows_no_table():
    [result] = lineage.check_results("batch", [lineage.Verdict("whole", 4, metadata={"n": 1})])
    assert result.description == "holds for 4 partitions"
    assert set(result.metadata) == {"partitions_passed", "partitions_failed", "n"}


def test_the_table_of_a_thousand_failures_stays_readable():
    failures = [(Partition("a", seed), Problem("X", "is bad")) for seed in range(1000)]
    [result] = lineage.check_results("batch", [lineage.Verdict("bad", 0, failures)])
    assert len(result.metadata["failures"].records) == 100
    assert result.metadata["partitions_failed"].value == 1000


def test_an_asset_without_events_is_pointed_at_by_null(instance):
    assert lineage.newest_events(instance, "batch") == {"batch": "NULL"}
    run_batch(instance, lineage.output(), CELLS[:2])
    pointers = lineage.newest_events(instance, "batch")
    records = instance.fetch_materializations(dg.AssetKey("batch"), limit=9).records
    assert pointers == {"batch": str(max(record.storage_id for record in records))}


def status(graph, asset, cell, definitions=defs):
    """What the UI would say of one partition, and why."""
    resolver = CachingStaleStatusResolver(
        graph.instance, definitions.resolve_asset_graph(), LoadingContextForTest(graph.instance)
    )
    key = dg.AssetKey(asset)
    causes = resolver.get_stale_causes(key, cell)
    return resolver.get_status(key, cell), [cause.reason for cause in causes]


def statuses(graph, asset, definitions=defs):
    """Kinds of status over all cells of the grid."""
    return {status(graph, asset, cell, definitions)[0] for cell in graph.cells}


def with_code_version(asset, version):
    """The project's definitions with one asset of another code version."""

    def changed(spec):
        same = spec.key != dg.AssetKey(asset)
        return spec if same else spec.replace_attributes(code_version=version)

    assets = [one.map_asset_specs(changed) for one in defs.assets]
    parts = {name: getattr(defs, name) for name in ("jobs", "resources")}
    return dg.Definitions(assets=assets, **parts)


def test_after_a_run_everything_is_fresh(finished):
    for asset in (keys.SCENARIO_SPEC, keys.SCENARIO_DATASET, keys.BACKTEST_RESULT):
        assert statuses(finished, asset) == {StaleStatus.FRESH}
    assert status(finished, keys.BACKTEST_SUMMARY, None) == (StaleStatus.FRESH, [])


def test_a_new_code_version_is_shown_as_stale_and_a_run_of_it_as_fresh(finished, monkeypatch):
    monkeypatch.setattr(backtests, "VERSION", "2-test")
    changed = with_code_version(keys.BACKTEST_RESULT, "2-test")
    kind, reasons = status(finished, keys.BACKTEST_RESULT, finished.cells[0], changed)
    assert (kind, reasons) == (StaleStatus.STALE, ["has a new code version"])
    assert statuses(finished, keys.SCENARIO_DATASET, changed) == {StaleStatus.FRESH}
    assert finished.run(definitions=changed).success
    assert statuses(finished, keys.BACKTEST_RESULT, changed) == {StaleStatus.FRESH}


def test_new_upstream_data_makes_stale_what_was_made_from_the_old(finished):
    cell = Partition(finished.scenario_keys[0], 1)
    new = published(cell, "sha256:" + "77" * 32)
    [event] = lineage.materialisations(keys.SCENARIO_DATASET, scenarios.DATASET_VERSION, [new])
    finished.instance.report_runless_asset_event(event)
    kind, reasons = status(finished, keys.BACKTEST_RESULT, str(cell))
    assert (kind, reasons) == (StaleStatus.STALE, ["has a new dependency data version"])
    others = [one for one in finished.cells if one != str(cell)]
    assert {status(finished, keys.BACKTEST_RESULT, one)[0] for one in others} == {StaleStatus.FRESH}
    assert finished.run().success
    assert statuses(finished, keys.BACKTEST_RESULT) == {StaleStatus.FRESH}


def test_made_again_with_equal_content_everything_stays_fresh(finished):
    assert finished.run().success
    for asset in (keys.SCENARIO_DATASET, keys.BACKTEST_RESULT):
        assert statuses(finished, asset) == {StaleStatus.FRESH}
