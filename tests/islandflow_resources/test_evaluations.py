"""Results are made once, found again, remade when damaged, within memory and in order."""

import pytest

from contracts.backtest import BacktestSettings
from contracts.errors import ComputeError, IntegrityError
from islandflow_resources import results
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.evaluations import make_result, make_results
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.strategies import StrategyList
from tests.graph import CALM, KERNELS, MOODY, strategy
from tests.islandflow_resources.backtests import Bench, crossings, hits, many, request

FILES = ("equity.parquet", "trades.parquet", "metrics.json", "result.json")


@pytest.fixture
def bench(tmp_path):
    """An empty folder store and an empty database."""
    database = Database(f"sqlite:///{tmp_path / 'islandflow.db'}")
    yield Bench(FolderStore(tmp_path / "objects"), database)
    database.dispose()


@pytest.fixture
def any_bench(object_store, database):
    """The same on every kind of store and database."""
    return Bench(object_store, database)


def path_of(bench, key):
    return bench.store.root / key


def flip(bench, key, offset, bit=0x01):
    data = bytearray(path_of(bench, key).read_bytes())
    data[offset] ^= bit
    path_of(bench, key).write_bytes(bytes(data))


def test_an_identical_request_is_found_whole(any_bench):
    inputs, strategies = any_bench.datasets(1, 2), many(5)
    assert hits(any_bench.make(inputs, strategies)) == (0, 10)
    before = any_bench.objects()
    assert hits(any_bench.make(inputs, strategies)) == (10, 10)
    assert any_bench.objects() == before
    assert len(any_bench.database.results()) == 10


def test_after_adding_a_tenth_of_new_strategies_nine_tenths_are_found(bench):
    inputs, strategies = bench.datasets(1), many(20)
    bench.make(inputs, strategies)
    made = bench.make(inputs, [*strategies, *many(2, first=30)])
    assert hits(made) == (20, 22)
    new = [one.result.strategy_id for one in made[0].results if not one.used_cache]
    assert new == ["ma_30_35", "ma_31_36"]


def test_results_stand_in_the_order_of_datasets_and_strategies(bench):
    inputs, strategies = bench.datasets(3, 1, 2), many(7)[::-1]
    for _ in range(2):
        made = bench.make(inputs, strategies)
        assert [one.dataset.ref.seed for one in made] == [3, 1, 2]
        wanted = [spec.id for spec in strategies]
        assert [[one.result.strategy_id for one in each.results] for each in made] == [wanted] * 3
        assert bench.make([], strategies) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_a_memory_budget_of_one_evaluation_makes_the_same(bench, tmp_path, threads):
    strategies = many(6)
    bench.make(bench.datasets(1, 2), strategies)
    small = Bench(FolderStore(tmp_path / "small"), bench.database, memory_mb=0, threads=threads)
    assert hits(small.make(small.datasets(1, 2), strategies)) == (0, 12)
    kept = {key: data for key, data in small.objects().items() if "provenance" not in key}
    assert kept == {key: bench.objects()[key] for key in kept}


def test_a_small_budget_holds_one_dataset_at_a_time(bench):
    bench.memory_mb = 0
    taken = []

    def stream():
        for dataset in bench.datasets(1, 2, 3):
            taken.append(dataset.ref.seed)
            yield dataset

    runtime = EngineRuntime(1, 0, KERNELS)
    made = make_results(
        bench.store, bench.database, runtime, stream(), StrategyList.of(many(1)),
        BacktestSettings(), "run",
    )  # fmt: skip
    for seed in (1, 2, 3):
        assert next(made).dataset.ref.seed == seed
        assert taken[-1] == seed


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_flipped_bit_is_put_aside_and_the_same_bytes_made_again(bench, name, place):
    inputs, strategies = bench.datasets(1), many(2)
    first, _ = bench.make(inputs, strategies)[0].results
    before = bench.objects()
    key = f"{first.ref.prefix}/{name}"
    flip(bench, key, int(place * (len(before[key]) - 1)))
    damaged = path_of(bench, key).read_bytes()
    [made] = bench.make(inputs, strategies)
    assert [one.used_cache for one in made.results] == [False, True]
    assert len(made.quarantined) == len(FILES)
    [aside] = [one for one in made.quarantined if one.endswith(key)]
    after = bench.objects()
    assert after[aside] == damaged
    assert {one: after[one] for one in before} == before
    assert hits(bench.make(inputs, strategies)) == (2, 2)


def test_a_flipped_bit_anywhere_in_the_documents_is_noticed(bench):
    inputs = bench.datasets(1)
    [made] = bench.make(inputs, many(1))
    [stored] = made.results
    for name in ("result.json", "metrics.json"):
        key = f"{stored.ref.prefix}/{name}"
        whole = path_of(bench, key).read_bytes()
        for offset in range(0, len(whole), 5):  # the long form of all of them takes ten seconds
            flip(bench, key, offset)
            with pytest.raises(IntegrityError) as caught:
                results.lookup(bench.store, stored.ref)
            assert stored.ref.prefix in caught.value.message
            path_of(bench, key).write_bytes(whole)
    assert results.lookup(bench.store, stored.ref) is not None


@pytest.mark.parametrize("name", FILES)
def test_a_missing_object_is_made_again(bench, name):
    inputs, strategies = bench.datasets(1), many(1)
    bench.make(inputs, strategies)
    before = bench.objects()
    [key] = [key for key in before if key.endswith(f"/{name}")]
    path_of(bench, key).unlink()
    [made] = bench.make(inputs, strategies)
    assert (hits([made]), made.quarantined) == ((0, 1), ())
    assert bench.objects() == before


def test_an_emptied_object_is_put_aside(bench):
    inputs, strategies = bench.datasets(1), many(1)
    [made] = bench.make(inputs, strategies)
    for name in FILES:
        path_of(bench, f"{made.results[0].ref.prefix}/{name}").write_bytes(b"")
        assert len(bench.make(inputs, strategies)[0].quarantined) == len(FILES)


def test_strategies_of_one_meaning_are_evaluated_once_and_named_apart(bench):
    inputs = bench.datasets(1)
    twins = [strategy(), strategy(id="twin", name="Another"), strategy(metadata={"notes": ["x"]})]
    for used in (False, True):
        [made] = bench.make(inputs, twins)
        assert made.problem is None
        assert [one.result.strategy_id for one in made.results] == [
            "crossover",
            "twin",
            "crossover",
        ]
        hashes = [one.result.strategy_hash for one in made.results]
        assert hashes == [spec.strategy_hash for spec in twins]
        assert {one.used_cache for one in made.results} == {used}
        assert len({one.digest for one in made.results}) == 1
    assert len(bench.store.keys("backtests/")) == len(FILES)


def test_whoever_asked_first_the_stored_bytes_are_the_same(bench, tmp_path):
    other = Bench(FolderStore(tmp_path / "other"), bench.database)
    bench.make(bench.datasets(1), [strategy()])
    other.make(other.datasets(1), [strategy(id="twin")])
    stored = {key: bench.store.get(key) for key in bench.store.keys("backtests/")}
    assert stored == {key: other.store.get(key) for key in other.store.keys("backtests/")}


def test_a_damaged_result_of_twins_is_put_aside_once(bench):
    inputs, twins = bench.datasets(1), [strategy(), strategy(id="twin")]
    [made] = bench.make(inputs, twins)
    flip(bench, f"{made.results[0].ref.prefix}/metrics.json", 9)
    [again] = bench.make(inputs, twins)
    assert len(again.quarantined) == len(FILES)
    assert hits([again]) == (0, 2)


def test_a_strategy_that_does_not_fit_is_named_and_the_others_go_on(bench):
    fitting = crossings(3, 9)
    hourly = crossings(3, 9, id="hourly", timeframe="1h")
    [made] = bench.make(bench.datasets(1), [hourly, crossings(3, 161), fitting, crossings(3, 160)])
    assert [one.result.strategy_id for one in made.results] == ["ma_3_9", "ma_3_160"]
    assert made.skipped == (
        "hourly trades 1h, not 1m",
        "ma_3_161 looks back on 161 bars of 160",
    )
    [cut] = bench.make(bench.datasets(1), [fitting, crossings(3, 160)], max_bars=100)
    assert cut.skipped == ("ma_3_160 looks back on 160 bars of 100",)


def test_a_damaged_object_without_its_result_document_makes_way(bench):
    inputs, strategies = bench.datasets(1), many(1)
    [made] = bench.make(inputs, strategies)
    before, prefix = bench.objects(), made.results[0].ref.prefix
    for name in ("equity.parquet", "trades.parquet", "metrics.json"):
        path_of(bench, f"{prefix}/result.json").unlink()
        flip(bench, f"{prefix}/{name}", -9)
        [again] = bench.make(inputs, strategies)
        assert again.problem is None
        assert f"{prefix}/{name}" in str(again.quarantined)
        assert {key: bench.objects()[key] for key in before} == before


def test_one_result_is_made_then_found_and_damage_makes_way(bench):
    runtime = EngineRuntime(1, 64, KERNELS)
    [dataset] = bench.datasets(1)
    ref = request(BacktestData.of_dataset(dataset.table, dataset.ref.spec, "blake3:" + "1" * 64))
    made, aside = make_result(bench.store, runtime, ref)
    assert (made.used_cache, aside) == (False, ())
    found, aside = make_result(bench.store, runtime, ref)
    assert (found.used_cache, aside, found.result) == (True, (), made.result)
    before = bench.objects()
    flip(bench, f"{ref.prefix}/trades.parquet", 99)
    again, aside = make_result(bench.store, runtime, ref)
    assert (again.used_cache, len(aside), again.result) == (False, 4, made.result)
    assert {key: bench.objects()[key] for key in before} == before


def test_every_result_is_recorded_with_its_request(bench):
    [calm], [moody] = bench.datasets(1), bench.datasets(2, document=MOODY)
    made = bench.make([calm, moody], [strategy()], lot_size=0.5)
    rows = bench.database.results()
    assert [(row.scenario_key, row.seed, row.bars) for row in rows] == [
        (calm.ref.spec.partition_key, 1, CALM["duration_bars"]),
        (moody.ref.spec.partition_key, 2, MOODY["duration_bars"]),
    ]
    for row, each in zip(rows, made, strict=True):
        [stored] = each.results
        assert row.cache_key == stored.result.cache_key
        assert row.metrics == stored.result.metrics
        assert row.settings_hash == stored.ref.settings.settings_hash
        assert (stored.result.lot_size, stored.result.settings) == (0.5, {"lot_size": 0.5})


def test_an_outcome_that_does_not_balance_is_the_problem_of_its_dataset(bench, monkeypatch):
    def broken(*_arguments, **_options):
        raise ComputeError("BACKTEST_INVARIANT", "equity is not cash plus position", "bar 3")

    inputs = bench.datasets(1)
    monkeypatch.setattr(results.backtest, "audit", broken)
    [made] = bench.make(inputs, many(2))
    assert made.problem is not None
    assert (made.problem.code, made.results) == ("BACKTEST_INVARIANT", ())
    assert bench.store.keys("backtests/") == []
    assert bench.database.results() == []
