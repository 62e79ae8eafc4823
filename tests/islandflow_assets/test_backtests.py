"""Backtest assets in real runs: results, their cache, the summary and what it misses."""

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.columns import SUMMARY
from contracts.errors import ContractError
from islandflow_assets import keys
from islandflow_assets.backtests import registered_strategies
from islandflow_assets.partitions import Partition
from islandflow_jobs import registration
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

ASSETS = (keys.SCENARIO_SPEC, keys.SCENARIO_DATASET, keys.BACKTEST_RESULT)


@pytest.fixture(scope="module")
def again():
    """What a second run over the same cells leaves, with what was there before it."""
    with graph_of(finished_home()) as graph:
        before = graph.objects(), graph.rows()
        yield graph, graph.run(), before


@pytest.fixture(scope="module")
def batch():
    """A first run over four cells, two of which no market can fill."""
    with graph_of(registered_home()) as graph:
        good, _ = graph.scenario_keys
        [bad] = graph.register(market(SINKING))
        yield graph, graph.run(Partition(graph.scenario_keys[1], 1), Partition(bad, 2)), bad, good


def test_a_second_run_computes_nothing_and_says_so(again):
    _, run, _ = again
    assert run.success
    for asset in (keys.SCENARIO_DATASET, keys.BACKTEST_RESULT):
        assert set(run.metadata(asset, "used_cache").values()) == {True}


def test_a_second_run_adds_no_object_and_no_row(again):
    graph, _, (objects, rows) = again
    assert graph.objects() == objects
    assert graph.rows() == rows == (4, 4)


def test_a_second_run_records_the_same_versions(again):
    graph, run, _ = again
    key = dg.AssetKey(keys.BACKTEST_RESULT)
    records = graph.instance.fetch_materializations(key, limit=8).records
    versions = {
        (record.partition_key, record.asset_materialization.tags["dagster/data_version"])
        for record in records
    }
    assert len(records) == 8
    assert len(versions) == len(run.materialised(keys.BACKTEST_RESULT)) == 4


def test_downstream_steps_take_what_was_published_of_a_batch_with_failures(batch):
    graph, run, bad, _ = batch
    good = [f"{graph.scenario_keys[1]}|{seed}" for seed in (1, 2)]
    assert sorted(run.materialised(keys.BACKTEST_RESULT)) == good
    assert run.check(keys.ACCOUNT_BALANCES).passed
    assert {row.scenario_key for row in graph.resources.database.results()} == {
        graph.scenario_keys[1]
    }
    assert bad not in str(run.materialised(keys.BACKTEST_RESULT))


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
    [summary] = run.materialised(keys.BACKTEST_SUMMARY).values()
    store = graph.resources.store
    uri = str(summary.metadata["uri"].value)
    table = pq.read_table(pa.BufferReader(store.get(store.parse_uri(uri))))
    assert table.column_names == list(SUMMARY.names)
    assert [(row["scenario_key"], row["seeds"]) for row in table.to_pylist()] == [
        (graph.scenario_keys[1], 2)
    ]


def test_an_event_of_a_result_names_the_dataset_it_was_made_from(again):
    _, run, _ = again
    datasets = run.materialised(keys.SCENARIO_DATASET)
    for cell, one in run.materialised(keys.BACKTEST_RESULT).items():
        made_from = one.tags[f"dagster/input_data_version/{keys.SCENARIO_DATASET}"]
        assert made_from == datasets[cell].tags["dagster/data_version"]


def test_the_metadata_of_a_result_is_what_a_person_asks_for(again):
    _, run, _ = again
    for one in run.materialised(keys.BACKTEST_RESULT).values():
        assert {
            *("equity", "drawdown", "metrics", "dagster/row_count", "uri", "cache_keys"),
            *("used_cache", "quarantined", "seconds"),
        } <= set(one.metadata)
        assert one.metadata["equity"].value.startswith(f"![{one.partition}")


@pytest.mark.parametrize("name", ["equity.parquet", "trades.parquet", "metrics.json"])
def test_a_damaged_result_is_put_aside_and_made_again_as_it_was(finished, name):
    before = finished.objects()
    [key, *_] = [one for one in before if one.startswith("backtests/") and one.endswith(name)]
    _damage(finished, key)
    run = finished.run()
    assert run.success
    remade = [cell for cell, used in run.metadata(keys.BACKTEST_RESULT, "used_cache").items()
              if not used]  # fmt: skip
    quarantined = run.metadata(keys.BACKTEST_RESULT, "quarantined")
    assert [cell for cell, moved in quarantined.items() if moved] == remade
    [cell] = remade
    assert [one for one in quarantined[cell] if one.endswith(key)]
    after = finished.objects()
    assert {one: after[one] for one in before} == before
    assert set(after) - set(before) == set(quarantined[cell])


def test_a_damaged_result_document_is_put_aside_and_made_again(finished):
    before = finished.objects()
    [key, *_] = [one for one in before if one.endswith("/result.json")]
    _damage(finished, key)
    run = finished.run()
    assert run.success
    assert sum(map(len, run.metadata(keys.BACKTEST_RESULT, "quarantined").values())) == 4
    assert {one: finished.objects()[one] for one in before} == before


def _damage(graph, key):
    path = graph.resources.store.root / key
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(bytes(data))


def test_a_new_strategy_remakes_no_dataset_and_only_its_own_results(finished):
    database = finished.resources.database
    registration.register_strategy(database, strategy(id="crossover_2", name="Another"))
    slower = {"if": "crossover(ma(close, 4), ma(close, 12))", "then": "buy"}
    other = strategy(id="slower", rules=[slower, strategy().document()["rules"][1]])
    registration.register_strategy(database, other)
    run = finished.run()
    assert run.success
    assert set(run.metadata(keys.SCENARIO_DATASET, "used_cache").values()) == {True}
    assert set(run.metadata(keys.BACKTEST_RESULT, "used_cache").values()) == {False}
    assert len({row.strategy_id for row in database.results()}) >= 2


def test_other_settings_make_other_results_beside_the_old(finished):
    config = {"resources": {"backtest_settings": {"config": {"fee_bps": 25.0}}}}
    before = finished.objects()
    run = finished.run(config=config)
    assert run.success
    assert finished.rows() == (4, 8)
    assert {key: finished.objects()[key] for key in before} == before
    [summary] = run.materialised(keys.BACKTEST_SUMMARY).values()
    assert summary.metadata["results"].value == 4


def test_settings_out_of_bounds_fail_with_the_place_and_write_nothing(graph):
    config = {"resources": {"backtest_settings": {"config": {"bar_delay": -1}}}}
    run = graph.run(config=config)
    assert not run.success
    assert "/bar_delay" in run.said
    assert run.materialised(keys.BACKTEST_RESULT) == {}
    assert graph.rows()[1] == 0


def test_without_a_strategy_there_is_nothing_to_backtest(graph):
    class Empty:
        def strategies(self):
            return []

    with pytest.raises(ContractError) as caught:
        registered_strategies(Empty())
    assert caught.value.code == "STRATEGY_NONE_REGISTERED"
    assert "islandflow strategy register" in caught.value.hints[0]


def test_a_market_that_no_strategy_trades_is_named(graph):
    [hourly] = graph.register(market(CALM, timeframe="1h"))
    run = graph.run_one(Partition(hourly, 1))
    assert not run.success
    assert run.failures(keys.ACCOUNT_BALANCES) == {f"{hourly}|1": "STRATEGY_NONE_FITS"}
    assert sorted(run.materialised(keys.SCENARIO_DATASET)) == [f"{hourly}|1"]


def test_a_batch_of_n_writes_n_events_per_asset_and_a_constant(graph):
    graph.register(seeds=range(3, 7))
    name = graph.scenario_keys[0]
    small = graph.run(Partition(name, 1), Partition(name, 2))
    large = graph.run(Partition(name, 1), Partition(name, 6))
    counts = {}
    for run, cells in ((small, 2), (large, 6)):
        assert run.success
        for asset in ASSETS:
            assert len(run.materialised(asset)) == cells
        per_cell = [
            event
            for event in run.events
            if event.asset_key and event.asset_key.to_user_string() in ASSETS
            and event.event_type_value in {"ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED"}
        ]  # fmt: skip
        assert len(per_cell) == 2 * len(ASSETS) * cells
        counts[cells] = len(run.events) - len(per_cell)
    assert counts[2] == counts[6] < 60


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
