"""Monte Carlo and walk-forward of the best trials, row by row against the oracles."""

import json
import math

import numpy as np
import pytest

from contracts.errors import IntegrityError
from contracts.validation import MONTE_CARLO_STATISTICS
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_robustness import all_sets, drawn, make_robust
from islandflow_resources.materialise import dataset_ref
from tests.islandflow_resources.campaigning import (
    CALM_MARKET,
    ROBUSTNESS,
    SUNKEN_MARKET,
    Home,
    aside,
    damage,
    empty_home,
    entrant,
    finished_copy,
    finished_folder,
    remove,
    returns_of,
    trials_alone,
)
from tests.oracles import backtest, expressions, metrics, montecarlo, validation

BARS_PER_DAY = 1440


def made(home, campaign):
    board = make_leaderboard(home.store, home.database, campaign, "run")
    return board, make_robust(*home.place, campaign, board, "run")


@pytest.fixture(scope="module")
def home():
    return Home.embedded(finished_folder())


@pytest.fixture(scope="module")
def campaign(home):
    return home.ready()


@pytest.fixture(scope="module")
def board(home, campaign):
    return made(home, campaign)[0]


@pytest.fixture(scope="module")
def robust(home, campaign):
    return made(home, campaign)[1]


@pytest.fixture(scope="module")
def alone(home, campaign):
    return list(trials_alone(home, campaign))


def test_the_best_trials_are_those_of_the_winner_then_of_the_next(campaign, board, robust):
    first, second, *_ = board.table["set_id"].to_pylist()
    cells = [(scenario.partition_key, seed) for scenario, seed in campaign.cells]
    rows = robust.monte_carlo.table.to_pylist()
    found = {(row["scenario_key"], row["seed"], row["set_id"]) for row in rows}
    assert len(rows) == 5
    assert found == {*((*cell, first) for cell in cells), (*cells[0], second)}


def test_monte_carlo_rows_are_the_oracles(campaign, board, robust, alone):
    places = dict(zip(board.table["set_id"].to_pylist(), board.table["candidate"].to_pylist(),
                      strict=True))  # fmt: skip
    cells = {(key, seed): outcomes for key, seed, _, outcomes in alone}
    how = campaign.spec.robustness.monte_carlo
    for row in robust.monte_carlo.table.to_pylist()[::4]:
        outcome = cells[row["scenario_key"], row["seed"]][places[row["set_id"]]]
        returns = returns_of(outcome, campaign.spec.settings)
        wanted = montecarlo.simulate(returns, how, BARS_PER_DAY)
        assert (row["paths"], row["converged"]) == (60, True)
        for name in MONTE_CARLO_STATISTICS:
            assert math.isclose(row[name], wanted.values[name], rel_tol=1e-9, abs_tol=1e-12), name


def truths(spec, params, bars):
    """What the rules say on every bar, as a volume that rules may read: buy 1, close 2."""
    columns = {name: values.tolist() for name, values in bars.fields.items()}
    trees = [expressions.parse(rule.condition) for rule in spec.rules]
    memo = {}
    said = [
        [expressions.value_at(tree, bar, columns, params, memo) is True for tree in trees]
        for bar in range(bars.bars)
    ]
    return columns | {"volume": [1.0 if one[0] else 2.0 if one[1] else 0.0 for one in said]}


def objective_of_part(spec, told, bars, span, costs):
    """Sharpe ratio of a part that is traded as if it were all there is, by the oracle."""
    first, stop = span
    part = {name: values[first:stop] for name, values in told.items()}
    rules = [{"if": "volume == 1", "then": "buy"}, {"if": "volume == 2", "then": "close"}]
    document = spec.document() | {"rules": rules, "params": {}}
    run = backtest.run(document, part, costs)
    ts_ns = bars.ts_ns[first:stop].tolist()
    return metrics.measure(run, ts_ns, costs["initial_cash"], BARS_PER_DAY)["sharpe"]


def test_walk_forward_rows_are_the_oracles(campaign, robust, alone):
    """Every part is traded from flat, while its indicators know the bars before it."""
    [(spec, _)] = campaign.entrants
    costs = {"initial_cash": 100_000.0, "bar_delay": 1, "fee_bps": 1.0, "base_bps": 0.5,
             "k_vol": 0.0, "window_bars": 20}  # fmt: skip
    grid = [{"fast": float(fast), "slow": float(slow)} for fast in (2, 3, 4) for slow in (8, 12)]
    rows = robust.walk_forward.table.to_pylist()
    assert len(rows) == 4 * 3
    key, seed, bars, _ = alone[2]
    own = [row for row in rows if (row["scenario_key"], row["seed"]) == (key, seed)]
    folds = validation.folds(bars.bars, campaign.spec.robustness.walk_forward)
    told = [truths(spec, params, bars) for params in grid]
    for k, (row, fold) in enumerate(zip(own, folds, strict=True)):
        assert row["fold"] == k
        assert (row["train_start"], row["train_stop"]) == fold.train
        assert (row["test_start"], row["test_stop"]) == fold.test
        trained = [objective_of_part(spec, one, bars, fold.train, costs) for one in told]
        chosen = validation.best(trained)
        assert json.loads(row["params"]) == grid[chosen]
        assert row["sets"] == 6
        assert math.isclose(row["train_objective"], trained[chosen], rel_tol=1e-9)
        tested = objective_of_part(spec, told[chosen], bars, fold.test, costs)
        assert math.isclose(row["test_objective"], tested, rel_tol=1e-9, abs_tol=1e-9)


def test_reports_are_made_once_and_again_where_they_are_damaged(robust):
    with finished_copy() as own:
        campaign = own.ready()
        before = own.objects()
        _, found = made(own, campaign)
        assert found.monte_carlo.used_cache
        assert found.walk_forward.used_cache
        damage(own.store, found.monte_carlo.key)
        remove(own.store, found.walk_forward.key)
        _, again = made(own, campaign)
        assert again.monte_carlo.content_digest == robust.monte_carlo.content_digest
        assert again.walk_forward.content_digest == robust.walk_forward.content_digest
        assert own.objects() == before
        assert aside(own.store) == [found.monte_carlo.key]


@pytest.mark.parametrize(("threads", "memory_mb"), [(1, 0), (3, 64)])
def test_neither_threads_nor_memory_change_a_report(robust, threads, memory_mb):
    with finished_copy() as own:
        remove(own.store, robust.monte_carlo.key)
        remove(own.store, robust.walk_forward.key)
        _, again = made(own.with_runtime(threads, memory_mb), own.ready())
        assert again.monte_carlo.content_digest == robust.monte_carlo.content_digest
        assert again.walk_forward.content_digest == robust.walk_forward.content_digest


def test_what_the_campaign_leaves_out_is_not_made(campaign):
    nothing = {"monte_carlo": None, "walk_forward": None}
    with finished_copy() as own:
        changed = own.ready(robustness=ROBUSTNESS | nothing)
        own.trials(changed)
        board, found = made(own, changed)
        assert (found.monte_carlo, found.walk_forward) == (None, None)
        assert drawn(*own.place, changed, board) is None
        assert home_keys(own, changed) == {"campaign_candidates", "campaign_chunks",
                                           "campaign_leaderboard"}  # fmt: skip


def home_keys(home, campaign):
    return {key.split("/")[2] for key in home.store.keys(f"{campaign.folder}/")}


def test_every_strategy_among_the_best_is_walked_over_its_own_sets():
    strategies = [entrant(), entrant(id="fixed", params={"fast": 3, "slow": 10})]
    with empty_home() as own:
        campaign = own.ready(strategies=strategies, seeds="1", robustness=ROBUSTNESS | {"best": 14})
        own.trials(campaign)
        _, found = made(own, campaign)
        rows = found.walk_forward.table.to_pylist()
        assert {(row["strategy_id"], row["sets"]) for row in rows} == {("crossing", 6),
                                                                      ("fixed", 1)}  # fmt: skip
        assert len(rows) == 2 * 2 * 3
        assert found.monte_carlo.table.num_rows == 14


def test_a_refused_dataset_has_no_row():
    with empty_home() as own:
        campaign = own.ready(scenarios=[CALM_MARKET, SUNKEN_MARKET], seeds="1")
        own.trials(campaign)
        _, found = made(own, campaign)
        assert {key.split("-")[0] for key in found.monte_carlo.table["scenario_key"].to_pylist()} \
            == {"calm"}  # fmt: skip


@pytest.mark.parametrize("harm", [damage, remove])
def test_a_dataset_that_was_lost_since_is_named_and_no_report_is_kept_without_it(harm, robust):
    with finished_copy() as own:
        campaign = own.ready()
        scenario, seed = campaign.cells[1]
        ref = dataset_ref(scenario, seed)
        whole = own.store.get(ref.dataset_key)
        remove(own.store, robust.monte_carlo.key)
        harm(own.store, ref.dataset_key)
        with pytest.raises(IntegrityError, match="CAMPAIGN_DATASET_LOST") as caught:
            made(own, campaign)
        assert f"{scenario.partition_key}|{seed}" in caught.value.message
        assert not own.store.exists(robust.monte_carlo.key)
        if harm is damage:
            remove(own.store, ref.dataset_key)
        own.store.put_if_absent(ref.dataset_key, whole)
        _, again = made(own, campaign)
        assert again.monte_carlo.content_digest == robust.monte_carlo.content_digest


def test_the_picture_is_of_the_winner_on_its_first_dataset(home, campaign, board, robust):
    name, outcome = drawn(*home.place, campaign, board)
    scenario, seed = campaign.cells[0]
    assert name == f"{scenario.partition_key}|{seed}"
    [row] = [
        row
        for row in robust.monte_carlo.table.to_pylist()
        if (row["scenario_key"], row["seed"]) == (scenario.partition_key, seed)
        and row["set_id"] == board.table["set_id"][0].as_py()
    ]
    assert {one: row[one] for one in MONTE_CARLO_STATISTICS} == outcome.values


def test_all_sets_are_those_of_the_search_in_their_order(campaign, board):
    [sets] = all_sets(campaign, board.table)[campaign.entrants[0][0].strategy_hash]
    assert sets.values.tolist() == [[f, s] for f in (2.0, 3.0, 4.0) for s in (8.0, 12.0)]
    assert np.array_equal(sets.columns["slow"], sets.values[:, 1])
