"""Tables over results in real runs: the summary, the leaderboards, and what a run misses."""

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.backtest import BacktestSettings
from contracts.columns import LEADERBOARD, SUMMARY
from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_jobs import registration
from islandflow_resources.summaries import current_results
from tests.graph import (
    CALM,
    QUIET,
    SINKING,
    finished_home,
    graph_of,
    market,
    registered_home,
    strategy,
)


def table_of(graph, run, asset):
    """The one table that a run stored for an asset, as rows."""
    [one] = run.materialised(asset).values()
    store = graph.resources.store
    data = store.get(store.parse_uri(str(one.metadata["uri"].value)))
    return pq.read_table(pa.BufferReader(data)).to_pylist()


@pytest.fixture(scope="module")
def batch():
    """A first run over four cells, two of which no market can fill."""
    with graph_of(registered_home()) as graph:
        good, _ = graph.scenario_keys
        [bad] = graph.register(market(SINKING))
        yield graph, graph.run(Partition(graph.scenario_keys[1], 1), Partition(bad, 2)), bad, good


@pytest.fixture(scope="module")
def ranked():
    """Three strategies, two of which mean the same, after a run over the whole grid."""
    with graph_of(finished_home()) as graph:
        flipped = [
            {"if": "crossover(ma(close, 3), ma(close, 9))", "then": "sell"},
            {"if": "crossunder(ma(close, 3), ma(close, 9))", "then": "buy"},
        ]
        for spec in (strategy(id="flipped", rules=flipped), strategy(id="twin")):
            registration.register_strategy(graph.resources.database, spec)
        yield graph, graph.run()


def test_the_summary_fails_the_run_and_names_what_is_missing(batch):
    _, run, bad, _ = batch
    assert not run.success
    check = run.check(keys.NOTHING_MISSING)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.description == f"2 of 4 partitions have no result: {bad}|1, {bad}|2"
    assert run.failures(keys.NOTHING_MISSING) == dict.fromkeys(
        [f"{bad}|1", f"{bad}|2"], "RESULT_MISSING"
    )


def test_the_summary_is_published_with_what_there_is(batch):
    graph, run, _, _ = batch
    [row] = table_of(graph, run, keys.BACKTEST_SUMMARY)
    assert tuple(row) == SUMMARY.names
    assert (row["scenario_key"], row["seeds"]) == (graph.scenario_keys[1], 2)


def test_a_run_of_the_summary_alone_misses_nothing(finished):
    from islandflow_jobs.definitions import defs

    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=finished.instance,
        asset_selection=[dg.AssetKey(keys.BACKTEST_SUMMARY)],
        run_config=QUIET,
    )
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (keys.NOTHING_MISSING, True)


def test_a_run_that_continues_a_failed_one_counts_what_that_one_published(finished):
    first = finished.run_one(Partition(finished.scenario_keys[0], 1))
    rerun = dg.execute_job(
        dg.reconstructable(_research),
        instance=finished.instance,
        run_config=QUIET,
        tags=first.result.dagster_run.tags,
        reexecution_options=dg.ReexecutionOptions(
            parent_run_id=first.result.run_id, step_selection=[keys.BACKTEST_SUMMARY]
        ),
    )
    assert rerun.success


def _research():
    from islandflow_jobs.definitions import defs

    return defs.resolve_job_def("research")


def test_a_leaderboard_ranks_every_strategy_by_its_median_sharpe(ranked):
    graph, run = ranked
    rows = table_of(graph, run, keys.LEADERBOARD)
    assert tuple(rows[0]) == LEADERBOARD.names
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert {(row["results"], row["scenarios"]) for row in rows} == {(4, 2)}
    medians = [row["median_sharpe"] for row in rows]
    assert medians == sorted(medians, reverse=True)
    results = graph.resources.database.results()
    of_flipped = sorted(row.sharpe for row in results if row.strategy_id == "flipped")
    [flipped] = [row for row in rows if row["strategy_id"] == "flipped"]
    assert flipped["median_sharpe"] == (of_flipped[1] + of_flipped[2]) / 2


def test_what_is_ranked_are_the_metrics_of_the_results_to_the_bit(ranked):
    graph, _ = ranked
    stored = {row.cache_key: row.metrics for row in graph.resources.database.results()}
    found = current_results(graph.resources.database, BacktestSettings())
    assert {one.cache_key for one in found} == set(stored)
    for one in found:
        wanted = {name: stored[one.cache_key][name] for name in one.result.metrics}
        assert one.result.metrics == wanted
        assert len(wanted) == 4


def test_strategies_of_one_meaning_stand_side_by_side_with_equal_numbers(ranked):
    graph, run = ranked
    names = ("rank", "strategy_id", "strategy_hash")
    for asset in (keys.LEADERBOARD, keys.BACKTEST_SUMMARY):
        numbers = {}
        for row in table_of(graph, run, asset):
            rest = {name: value for name, value in row.items() if name not in names}
            numbers.setdefault(row["strategy_id"], []).append(rest)
        assert numbers["twin"] == numbers["crossover"] != numbers["flipped"]


def test_scenarios_of_one_market_share_results_and_are_both_in_the_tables(finished):
    before = len(finished.resources.database.results())
    [twin] = finished.register(market(CALM, id="calm_twin"))
    run = finished.run()
    assert run.success
    assert len(finished.resources.database.results()) == before
    used = run.metadata(keys.BACKTEST_RESULT, "used_cache")
    assert used[f"{twin}|1"] is True
    rows = {row["scenario_key"]: row for row in table_of(finished, run, keys.BACKTEST_SUMMARY)}
    assert set(rows) == set(finished.scenario_keys)
    calm = rows[finished.scenario_keys[0]]
    assert rows[twin] == {**calm, "scenario_key": twin}


def test_a_leaderboard_names_what_its_run_misses_and_fails_it(batch):
    graph, run, bad, _ = batch
    check = run.check(keys.EVERYTHING_RANKED)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.description == f"2 of 4 partitions have no result: {bad}|1, {bad}|2"
    assert [row["results"] for row in table_of(graph, run, keys.LEADERBOARD)] == [2]


@pytest.mark.parametrize("job", ["t0_screen", "t1_full"])
def test_a_tier_whose_run_misses_a_partition_fails_and_names_it(graph, job):
    [bad] = graph.register(market(SINKING))
    run = graph.run(Partition(graph.scenario_keys[1], 1), Partition(bad, 1), job=job)
    assert not run.success
    assert f"{bad}|1" in run.check(keys.EVERYTHING_RANKED).description


def test_a_screening_is_ranked_apart_and_disturbs_no_other_table(finished):
    before = finished.run()
    [long] = finished.register(market(CALM, id="long", duration_bars=1_500))
    quick = finished.run(Partition(long, 1), Partition(long, 2), job="t0_screen")
    assert quick.success
    [row] = table_of(finished, quick, keys.SCREENING_LEADERBOARD)
    assert (row["results"], row["scenarios"]) == (6, 3)
    assert quick.materialised(keys.LEADERBOARD) == quick.materialised(keys.BACKTEST_SUMMARY) == {}
    again = finished.run(last=Partition(finished.scenario_keys[1], 2))
    for asset in (keys.LEADERBOARD, keys.BACKTEST_SUMMARY):
        assert table_of(finished, again, asset) == table_of(finished, before, asset)


def test_other_settings_are_ranked_apart(finished):
    before = table_of(finished, finished.run(), keys.LEADERBOARD)
    config = {"resources": {"backtest_settings": {"config": {"fee_bps": 50.0}}}}
    run = finished.run(config=config)
    [row] = table_of(finished, run, keys.LEADERBOARD)
    assert row["results"] == 4
    assert row["median_total_return"] < before[0]["median_total_return"]


def test_results_of_strategies_that_are_gone_are_not_ranked(finished):
    from sqlalchemy import create_engine, text

    with create_engine(finished.resources.database.url).begin() as connection:
        connection.execute(text("DELETE FROM strategies"))
    other = strategy(id="other", rules=[{"if": "close > open", "then": "buy"},
                                        {"if": "close < open", "then": "sell"}])  # fmt: skip
    registration.register_strategy(finished.resources.database, other)
    rows = table_of(finished, finished.run(), keys.LEADERBOARD)
    assert [row["strategy_id"] for row in rows] == ["other"]
