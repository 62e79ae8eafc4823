"""Backtest assets in real runs: results, their cache, and what is skipped or screened."""

import json

import dagster as dg
import pytest
from dagster._core.definitions.data_version import StaleStatus

from contracts.backtest import BacktestResult
from contracts.digest import recipe_digest
from contracts.errors import ContractError
from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_jobs import registration
from islandflow_jobs.definitions import build_definitions
from islandflow_resources import datasets
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.results import VERSION
from islandflow_resources.strategies import registered_strategies
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
from tests.islandflow_assets.test_lineage import status, statuses

SLOWER = strategy(
    id="slower",
    rules=[
        {"if": "crossover(ma(close, 4), ma(close, 12))", "then": "buy"},
        {"if": "crossunder(ma(close, 4), ma(close, 12))", "then": "sell"},
    ],
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


def test_an_event_of_a_result_names_the_dataset_and_the_strategies_it_was_made_from(again):
    _, run, _ = again
    datasets = run.materialised(keys.SCENARIO_DATASET)
    [listed] = run.materialised(keys.STRATEGY_IR).values()
    for cell, one in run.materialised(keys.BACKTEST_RESULT).items():
        inputs = {
            name: one.tags[f"dagster/input_data_version/{name}"]
            for name in (keys.SCENARIO_DATASET, keys.STRATEGY_IR)
        }
        assert inputs == {
            keys.SCENARIO_DATASET: datasets[cell].tags["dagster/data_version"],
            keys.STRATEGY_IR: listed.tags["dagster/data_version"],
        }
        assert one.metadata["recipe_digest"].value == recipe_digest(
            keys.BACKTEST_RESULT,
            version=VERSION,
            specs={"settings": {}},
            inputs={
                keys.SCENARIO_DATASET: f"blake3:{inputs[keys.SCENARIO_DATASET]}",
                keys.STRATEGY_IR: f"sha256:{inputs[keys.STRATEGY_IR]}",
            },
        )


def test_the_metadata_of_a_result_is_what_a_person_asks_for(again):
    _, run, _ = again
    for one in run.materialised(keys.BACKTEST_RESULT).values():
        assert {
            *("equity", "drawdown", "metrics", "dagster/row_count", "uri", "cache_keys"),
            *("used_cache", "hits", "strategies", "skipped", "quarantined", "seconds"),
        } <= set(one.metadata)
        for name in ("equity", "drawdown"):
            assert one.metadata[name].value.startswith(f"![{one.partition} · {name} in ")
        assert (one.metadata["hits"].value, one.metadata["strategies"].value) == (1, 1)


def test_damaged_results_are_put_aside_and_made_again_as_they_were(finished):
    """One object of each kind, each of another cell; what is left whole is found again."""
    names = ("equity.parquet", "trades.parquet", "metrics.json")
    before = finished.objects()
    folders = sorted({key.rpartition("/")[0] for key in before if key.startswith("backtests/")})
    damaged = {f"{folder}/{name}" for folder, name in zip(folders[:3], names, strict=True)}
    for key in damaged:
        _damage(finished, key)
    run = finished.run()
    assert run.success
    used = run.metadata(keys.BACKTEST_RESULT, "used_cache")
    quarantined = run.metadata(keys.BACKTEST_RESULT, "quarantined")
    remade = {cell for cell, is_used in used.items() if not is_used}
    assert remade == {cell for cell, moved in quarantined.items() if moved}
    assert (len(used), len(remade)) == (4, 3)
    assert all(
        sum(key.endswith(one) for key in quarantined[cell] for one in damaged) == 1
        for cell in remade
    )
    moved = {key for cell in remade for key in quarantined[cell]}
    assert {one for one in damaged if any(key.endswith(one) for key in moved)} == damaged
    after = finished.objects()
    assert {one: after[one] for one in before} == before
    assert set(after) - set(before) == moved


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


def test_strategies_of_one_meaning_share_a_result_and_each_is_named(graph):
    for name in ("a_twin", "twin"):
        registration.register_strategy(graph.resources.database, strategy(id=name, name="The same"))
    run = graph.run()
    assert run.success, run.said
    assert len([key for key in graph.objects() if key.endswith("/result.json")]) == 4
    assert set(run.metadata(keys.BACKTEST_RESULT, "strategies").values()) == {3}
    for one in run.materialised(keys.BACKTEST_RESULT).values():
        first = one.metadata["metrics"].records[0].data
        assert set(first) == {"metric", "a_twin", "crossover", "twin"}


def test_a_new_strategy_makes_results_stale_and_its_run_only_its_own_and_no_dataset(finished):
    database = finished.resources.database
    registration.register_strategy(database, SLOWER)
    assert statuses(finished, keys.BACKTEST_RESULT) == {StaleStatus.FRESH}
    job = build_definitions().resolve_implicit_global_asset_job_def()
    selected = [dg.AssetKey(keys.STRATEGY_SPEC), dg.AssetKey(keys.STRATEGY_IR)]
    job.execute_in_process(instance=finished.instance, asset_selection=selected, run_config=QUIET)
    kind, reasons = status(finished, keys.BACKTEST_RESULT, finished.cells[0])
    assert (kind, reasons) == (StaleStatus.STALE, ["has a new dependency data version"])
    assert statuses(finished, keys.BACKTEST_RESULT) == {StaleStatus.STALE}
    assert statuses(finished, keys.SCENARIO_DATASET) == {StaleStatus.FRESH}
    run = finished.run()
    assert run.success
    assert statuses(finished, keys.BACKTEST_RESULT) == {StaleStatus.FRESH}
    assert set(run.metadata(keys.SCENARIO_DATASET, "used_cache").values()) == {True}
    assert set(run.metadata(keys.BACKTEST_RESULT, "used_cache").values()) == {False}
    assert set(run.metadata(keys.BACKTEST_RESULT, "hits").values()) == {1}
    assert sorted(row.strategy_id for row in database.results()) == [
        *(["crossover"] * 4 + ["slower"] * 4)
    ]


def test_strategies_that_do_not_fit_are_skipped_and_named(graph):
    database = graph.resources.database
    registration.register_strategy(database, strategy(id="hourly", timeframe="1h"))
    patient = [{"if": "close > ma(close, 200)", "then": "buy"}, strategy().document()["rules"][1]]
    registration.register_strategy(database, strategy(id="patient", rules=patient))
    run = graph.run()
    assert run.success
    skipped = run.metadata(keys.BACKTEST_RESULT, "skipped")
    hourly = "hourly trades 1h, not 1m"
    calm, moody = graph.scenario_keys
    patient = "patient looks back on 200 bars of 160"
    assert skipped[f"{calm}|1"] == skipped[f"{calm}|2"] == [hourly, patient]
    assert skipped[f"{moody}|1"] == skipped[f"{moody}|2"] == [hourly]
    strategies = run.metadata(keys.BACKTEST_RESULT, "strategies")
    assert [strategies[cell] for cell in sorted(strategies)] == [1, 1, 2, 2]


@pytest.fixture(scope="module")
def screened():
    """A market longer than a screening, after a full run and then a screening."""
    with graph_of(registered_home()) as graph:
        [long] = graph.register(market(CALM, id="long", duration_bars=1_500))
        box = Partition(graph.scenario_keys[1], 1), Partition(long, 1)
        full = graph.run(*box, job="t1_full")
        before = graph.objects(), graph.resources.database.results()
        yield graph, full, graph.run(*box, job="t0_screen"), before


def test_a_screening_sees_the_first_thousand_bars_only(screened):
    graph, full, quick, _ = screened
    assert full.success
    assert quick.success, quick.said
    long = f"{graph.scenario_keys[2]}|1"
    assert full.metadata(keys.BACKTEST_RESULT, "dagster/row_count")[long] == 1_500
    assert quick.metadata(keys.SCREENING_RESULT, "dagster/row_count")[long] == 1_000
    [row] = [row for row in graph.resources.database.results() if row.bars == 1_000]
    result = graph.resources.store.get(f"backtests/{row.cache_key.split(':')[1]}/result.json")
    dataset = dataset_ref(market(CALM, id="long", duration_bars=1_500), 1)
    bars = datasets.read(graph.resources.store, dataset).table
    assert BacktestResult.model_validate(
        {**json.loads(result), "strategy_id": "x", "strategy_hash": row.strategy_hash}
    ).last_ts_ns == str(bars["ts_ns"][999].as_py())


def test_a_screening_adds_its_own_results_and_changes_no_other(screened):
    graph, full, quick, (objects, rows) = screened
    after = graph.objects()
    assert {key: after[key] for key in objects} == objects
    assert {row.cache_key for row in rows} < {
        row.cache_key for row in graph.resources.database.results()
    }
    assert len(graph.resources.database.results()) == len(rows) + 1
    assert quick.materialised(keys.BACKTEST_RESULT) == {}
    assert full.materialised(keys.SCREENING_RESULT) == {}


def test_a_market_shorter_than_a_screening_is_not_computed_twice(screened):
    graph, _, quick, _ = screened
    used = quick.metadata(keys.SCREENING_RESULT, "used_cache")
    moody, long = graph.scenario_keys[1:]
    assert used == {f"{moody}|1": True, f"{long}|1": False}


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
