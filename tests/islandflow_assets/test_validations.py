"""Monte Carlo and walk-forward of registered strategies in real runs, partition by partition."""

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_jobs import registration
from islandflow_jobs.run_failures import reasons
from tests.graph import CROSSOVER, SINKING, graph_of, market, registered_home, strategy
from tests.islandflow_assets.pictures import picture

BOTH = (keys.MONTE_CARLO_SUMMARY, keys.WALK_FORWARD_SUMMARY)
RANGED = {
    "params": {"fast": {"default": 3, "min": 2, "max": 4, "step": 1}},
    "rules": [
        {"if": "crossover(ma(close, fast), ma(close, 9))", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, 9))", "then": "sell"},
    ],
}
HUGE = RANGED | {
    "params": {
        "fast": {"default": 3, "min": 2, "max": 61, "step": 1},
        "slow": {"default": 9, "min": 2, "max": 61, "step": 1},
    },
    "rules": [
        {"if": "crossover(ma(close, fast), ma(close, slow))", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, slow))", "then": "sell"},
    ],
}
FEW = {"paths": 40, "block_bars": 10, "folds": 2}


def config(**validation):
    """Configuration of a run with some settings of the validation changed."""
    return {"resources": {"validation_settings": {"config": FEW | validation}}}


def add_strategy(graph, **changes):
    registration.register_strategy(graph.resources.database, strategy(**changes))


@pytest.fixture(scope="module")
def ranged_home():
    """Two markets × two seeds, and two strategies, one of them with ranges, validated twice."""
    with graph_of(registered_home()) as graph:
        add_strategy(graph, id="ranged", **RANGED)
        first = graph.run(job="validation", config=config())
        objects = graph.objects()
        yield graph, first, graph.run(job="validation", config=config()), objects


def test_every_partition_of_a_range_has_both_summaries(ranged_home):
    graph, run, _, _ = ranged_home
    assert run.success, run.said
    for asset in BOTH:
        assert sorted(run.materialised(asset)) == graph.cells
        for uri in run.metadata(asset, "uri").values():
            assert graph.resources.store.exists(graph.resources.store.parse_uri(uri))
    for check in (keys.PATHS_CONVERGED, keys.FOLDS_TESTED):
        assert run.check(check).passed
        assert run.check(check).description == "holds for 4 partitions"


def test_a_partition_shows_each_strategy_and_how_it_might_have_grown(ranged_home):
    _, run, _, _ = ranged_home
    for event in run.materialised(keys.MONTE_CARLO_SUMMARY).values():
        rows = [record.data for record in event.metadata["monte_carlo"].records]
        assert sorted(row["strategy_id"] for row in rows) == ["crossover", "ranged"]
        assert picture(event.metadata["equity_fan"]) is not None
    for event in run.materialised(keys.WALK_FORWARD_SUMMARY).values():
        rows = [record.data for record in event.metadata["walk_forward"].records]
        assert sorted((row["strategy_id"], row["fold"]) for row in rows) == [
            *(("crossover", 0), ("crossover", 1), ("ranged", 0), ("ranged", 1)),
        ]


def test_the_shown_recipe_is_the_one_that_is_recorded(ranged_home):
    graph, run, _, _ = ranged_home
    for asset in BOTH:
        recipes = set(run.metadata(asset, "recipe_digest").values())
        assert len(graph.resources.database.find(recipes)) == len(recipes) == 4


def test_a_second_run_finds_everything_and_has_equal_data_versions(ranged_home):
    graph, first, again, objects = ranged_home
    assert again.success, again.said
    for asset in BOTH:
        assert set(again.metadata(asset, "used_cache").values()) == {True}
        for key, event in again.materialised(asset).items():
            before = first.materialised(asset)[key]
            assert event.tags["dagster/data_version"] == before.tags["dagster/data_version"]
    assert graph.objects() == objects


def test_values_out_of_bounds_are_refused_with_all_their_problems():
    with graph_of(registered_home()) as graph:
        wrong = config(paths=1, block_bars=0, ruin_drawdown=2.0, folds=0, objective="luck")
        wrong["resources"]["backtest_settings"] = {"config": {"fee_bps": -1.0}}
        run = graph.run(job="validation", config=wrong)
        assert not run.success
        said = "\n".join(reasons(graph.instance, run.result.run_id))
        places = ("/costs/fee_bps", "/paths", "/block_bars", "/ruin_drawdown", "/folds")
        assert all(place in said for place in places)
        assert "'luck' cannot be maximised" in said
        assert graph.resources.store.keys("validations/") == []


def test_a_grid_that_is_too_large_is_a_problem_of_its_partition_and_is_named():
    with graph_of(registered_home()) as graph:
        add_strategy(graph, id="huge", **HUGE)
        cell = Partition(graph.scenario_keys[1], 1)
        run = graph.run(cell, cell, job="validation", config=config())
        assert not run.success
        assert run.failures(keys.FOLDS_TESTED) == {str(cell): "WALK_FORWARD_TOO_MANY_SETS"}
        assert "huge" in run.check(keys.FOLDS_TESTED).description
        assert list(run.materialised(keys.MONTE_CARLO_SUMMARY)) == [str(cell)]
        assert run.materialised(keys.WALK_FORWARD_SUMMARY) == {}


def test_a_market_that_cannot_be_made_fails_the_run_and_the_others_are_validated():
    with graph_of(registered_home()) as graph:
        good = graph.scenario_keys[1]
        [bad] = graph.register(market(SINKING))
        run = graph.run(Partition(good, 1), Partition(bad, 1), job="validation", config=config())
        assert not run.success
        for asset, check in zip(BOTH, (keys.PATHS_CONVERGED, keys.FOLDS_TESTED), strict=True):
            assert list(run.materialised(asset)) == [f"{good}|1"]
            assert run.check(check).severity == dg.AssetCheckSeverity.ERROR
            assert run.failures(check) == {f"{bad}|1": "DATASET_NOT_FOUND"}


def test_another_timeframe_leaves_nothing_to_validate_and_says_what_to_do():
    with graph_of(registered_home()) as graph:
        [key] = graph.register(market(SINKING, id="hourly", timeframe="1h", start_price=100.0,
                                      params={"drift": 0.4, "sigma": 5}))  # fmt: skip
        cell = Partition(key, 1)
        run = graph.run(cell, cell, job="validation", config=config())
        assert not run.success
        assert run.failures(keys.PATHS_CONVERGED) == {str(cell): "STRATEGY_NONE_FITS"}
        assert CROSSOVER["timeframe"] == "1m"
