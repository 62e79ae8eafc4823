"""The schedule asks for exactly what is missing, once a day."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from islandflow_assets.partitions import Partition
from islandflow_jobs.schedules import MAX_RUNS, materialise_missing
from tests.graph import CALM, market

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def tick(graph, when=NOON):
    context = dg.build_schedule_context(instance=graph.instance, scheduled_execution_time=when)
    return list(materialise_missing(context))


def box(request):
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return tuple(request.tags[name] for name in names)


def test_with_everything_missing_one_run_over_the_whole_grid_is_asked_for(graph):
    [request] = tick(graph)
    first, second = graph.scenario_keys
    assert box(request) == (f"{first}|1", f"{second}|2")


def test_with_nothing_missing_nothing_is_asked_for(finished):
    [reason] = tick(finished)
    assert isinstance(reason, dg.SkipReason)


def test_what_was_registered_since_is_asked_for_and_no_more(finished):
    [key] = finished.register(market(CALM, id="later"))
    [request] = tick(finished)
    assert box(request) == (f"{key}|1", f"{key}|2")


def test_the_asked_for_runs_leave_nothing_missing(finished):
    first, second = finished.scenario_keys
    finished.register(seeds=[5])
    assert finished.run_one(Partition(first, 5)).success
    [request] = tick(finished)
    assert box(request) == (f"{second}|5", f"{second}|5")
    assert finished.run_one(Partition(second, 5)).success
    assert isinstance(tick(finished)[0], dg.SkipReason)


def test_the_same_box_is_asked_for_once_a_day(graph):
    [morning] = tick(graph, NOON)
    [later] = tick(graph, NOON + timedelta(hours=3))
    [tomorrow] = tick(graph, NOON + timedelta(days=1))
    assert morning.run_key == later.run_key != tomorrow.run_key


def test_more_boxes_than_a_tick_may_start_wait_for_the_next(graph):
    seeds = list(range(1, 2 * MAX_RUNS + 5))
    graph.register(seeds=seeds)
    key = dg.AssetKey("backtest_result")
    for cell in graph.cells:
        if int(cell.split("|")[1]) % 2:
            graph.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=cell))
    requests = tick(graph)
    assert len(requests) == MAX_RUNS
    assert len({request.run_key for request in requests}) == MAX_RUNS
