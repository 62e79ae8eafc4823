"""Which results a leaderboard gathers: those of what is registered now, and no others."""

import pytest

from contracts.backtest import METRICS, BacktestSettings
from engine import paths
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact, RunResult, Scenario, Strategy
from islandflow_resources.results import VERSION
from islandflow_resources.summaries import current_results
from tests.graph import CALM, market, strategy

SETTINGS = BacktestSettings()
MARKET = market(CALM)
FINAL = 101_234.567_89
OWN = {
    "sharpe": 0.1 + 0.2,
    "total_return": FINAL / SETTINGS.initial_cash - 1.0,
    "max_drawdown": None,
    "trades": 3.0,
}


@pytest.fixture
def database(database_url):
    """A registry of a market, two datasets of it and a strategy."""
    made = Database(database_url)
    made.register_scenario(
        Scenario(
            scenario_hash=MARKET.scenario_hash,
            scenario_key=MARKET.partition_key,
            scenario_id=MARKET.id,
            spec=MARKET.market,
        )
    )
    register(made, strategy())
    made.record([dataset(2), dataset(1)])
    yield made
    made.dispose()


def register(database, spec):
    database.register_strategy(
        Strategy(strategy_hash=spec.strategy_hash, strategy_id=spec.id, spec=spec.document())
    )


def dataset(seed, **changes):
    values = {
        "recipe_digest": f"recipe {seed}",
        "what": datasets.WHAT,
        "scenario_key": MARKET.partition_key,
        "seed": seed,
        "version": paths.version(MARKET),
        "content_digest": f"dataset {seed}",
        "object_key": f"scenarios/{seed}",
        "rows": 160,
        "recipe": {},
    }
    return Artefact(**values | changes)


def result(seed, **changes):
    values = {
        "cache_key": f"result {seed}",
        "scenario_key": MARKET.partition_key,
        "scenario_hash": MARKET.scenario_hash,
        "seed": seed,
        "strategy_id": "crossover",
        "strategy_hash": strategy().strategy_hash,
        "dataset_digest": f"dataset {seed}",
        "settings_hash": SETTINGS.settings_hash,
        "version": VERSION,
        "bars": 160,
        "trades": 3,
        "final_equity": FINAL,
        "sharpe": OWN["sharpe"],
        "metrics": dict.fromkeys(METRICS, 7.0) | OWN,
    }
    return RunResult(**values | changes)


def test_results_come_by_scenario_and_seed_with_their_metrics_to_the_bit(database):
    database.record_results([result(2), result(1)])
    found = current_results(database, SETTINGS)
    assert [(one.cache_key, one.result.seed) for one in found] == [("result 1", 1), ("result 2", 2)]
    assert [one.result.metrics for one in found] == [OWN, OWN]
    assert {one.result.strategy_id for one in found} == {"crossover"}


@pytest.mark.parametrize(
    "changes",
    [
        {"settings_hash": "sha256:others"},
        {"version": "0.0"},
        {"strategy_hash": "sha256:unregistered"},
        {"dataset_digest": "dataset of before"},
        {"bars": 159},
    ],
)
def test_a_result_of_something_else_is_left_out(database, changes):
    database.record_results([result(1), result(2, **changes)])
    assert [one.cache_key for one in current_results(database, SETTINGS)] == ["result 1"]


def test_a_dataset_of_another_version_or_of_no_registered_scenario_is_left_out(database):
    database.record([dataset(3, version="0.0"), dataset(4, scenario_key="gone-0")])
    database.record_results([result(3), result(4)])
    assert current_results(database, SETTINGS) == []


def test_strategies_of_one_meaning_share_a_result(database):
    register(database, strategy(id="twin"))
    database.record_results([result(1)])
    found = current_results(database, SETTINGS)
    assert {one.result.strategy_id: one.cache_key for one in found} == {
        "crossover": "result 1",
        "twin": "result 1",
    }
