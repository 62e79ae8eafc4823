"""Monte Carlo and walk-forward of experiments, held against plain computations on their trades."""

import json
import math

import numpy as np
import pytest

from contracts.errors import IntegrityError
from contracts.validation import WalkForwardSettings
from engine import montecarlo
from engine.signals.evaluate import Rule
from engine.signals.registry import signal
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_robustness import make_robust
from islandflow_resources.experiment_robustness import drawn_signal, objective_of
from islandflow_resources.experiment_stages import chosen_of, stages_of, trades_of
from islandflow_resources.experiments import split_params
from islandflow_resources.signal_data import signal_values
from islandflow_resources.signal_trials import evaluator_of
from tests.islandflow_resources.campaigning import Home
from tests.islandflow_resources.experimenting import (
    FIRST,
    ROBUSTNESS,
    chunks_of,
    datasets_home,
    finished_folder,
    ready,
    run,
    serving_document,
    small,
)
from tests.oracles import validation

pytestmark = pytest.mark.xdist_group("books")

CAPITAL = 2_000.0


@pytest.fixture(scope="module")
def home():
    home = Home.embedded(finished_folder())
    yield home
    home.database.dispose()


@pytest.fixture(scope="module")
def experiment(home):
    return ready(home)


@pytest.fixture(scope="module")
def board(home, experiment):
    return make_leaderboard(home.store, home.database, experiment, "run")


@pytest.fixture(scope="module")
def robust(home, experiment, board):
    return make_robust(*home.place, experiment, board, "run")


def stages(home, experiment):
    return stages_of(*home.place, experiment, experiment.variants[0], "run")


def returns_of(home, experiment, stage, row):
    """Return of every bin of a dataset, and of every trade, of the candidate of a row."""
    params, (tp, sl, cooldown), threshold = split_params(json.loads(row["params"]))
    one = signal(row["strategy_id"])
    [values] = signal_values(stage.data, home.runtime, one, [one.bound(params)])
    evaluator = evaluator_of(stage.data, experiment.spec.settings, FIRST)
    found = evaluator.trades(values, Rule(threshold, tp, sl, cooldown), one.mode)
    by_bin = np.zeros(stage.data.bins)
    np.add.at(by_bin, found["bin_idx"], found["pnl_ticks"] / CAPITAL)
    return by_bin, found["pnl_ticks"] / CAPITAL


def sharpe(returns):
    """Ratio a bin; none where nothing varies."""
    spread = returns.std(ddof=1)
    return float(returns.mean() / spread) if spread > 0 else None


def test_the_walk_forward_is_that_of_all_candidates_of_a_signal_one_by_one(
    home, experiment, board, robust
):
    rows = robust.walk_forward.table.to_pylist()
    candidates = board.table.sort_by("candidate").to_pylist()
    settings = WalkForwardSettings(folds=2, purge_bars=30)
    best = {row["strategy_id"] for row in board.table.slice(0, 2).to_pylist()}
    assert {row["strategy_id"] for row in rows} <= best
    seen = 0
    for stage in stages(home, experiment):
        for name in best:
            own = [row for row in rows if row["strategy_id"] == name
                   and row["scenario_key"] == stage.data.dataset.dataset_id]  # fmt: skip
            if not own:
                continue
            tried = [row for row in candidates if row["strategy_id"] == name]
            returns = [returns_of(home, experiment, stage, row)[0][FIRST:] for row in tried]
            parts = validation.folds(stage.data.bins - FIRST, settings)
            spans = [(one.train, one.test) for one in parts]
            train, test = (
                [[sharpe(one[a:b]) for one in returns] for a, b in part]
                for part in zip(*spans, strict=True)
            )
            for k, row in enumerate(own):
                seen += 1
                chosen = validation.best(train[k])
                assert row["sets"] == len(tried)
                assert row["params"] == tried[chosen]["params"]
                assert row["train_objective"] == near(train[k][chosen])
                assert row["test_objective"] == near(test[k][chosen])
                assert (row["train_start"], row["test_stop"]) == (
                    spans[k][0][0] + FIRST, spans[k][1][1] + FIRST,
                )  # fmt: skip
    assert seen == len(rows) >= 4


def near(value):
    return None if value is None else pytest.approx(value, rel=1e-6, abs=1e-12)


def test_the_best_trials_are_resampled_dataset_by_dataset(home, experiment, board, robust):
    rows = robust.monte_carlo.table.to_pylist()
    ranks = board.table.slice(0, 2).to_pylist()
    names = [stage.data.dataset.dataset_id for stage in stages(home, experiment)]
    # best: 3 counts trials: the first candidate on both datasets, the second on the first.
    wanted = {(ranks[0]["set_id"], names[0]), (ranks[0]["set_id"], names[1]),
              (ranks[1]["set_id"], names[0])}  # fmt: skip
    assert {(row["set_id"], row["scenario_key"]) for row in rows} == wanted
    assert len(rows) == ROBUSTNESS["best"]


def test_what_is_resampled_are_the_returns_of_the_trades(home, experiment, board, robust):
    rows = robust.monte_carlo.table.to_pylist()
    by_set = {row["set_id"]: row for row in board.table.to_pylist()}
    how = experiment.spec.robustness.monte_carlo
    for stage in stages(home, experiment):
        for row in rows:
            if row["scenario_key"] != stage.data.dataset.dataset_id:
                continue
            _, series = returns_of(home, experiment, stage, by_set[row["set_id"]])
            hours = (stage.data.bins - 1 - FIRST) * 0.1 / 3_600
            [found] = montecarlo.resample_many([series], how, len(series) / hours * 24 * 365)
            assert (row["paths"], row["converged"]) == (found.paths, found.converged)
            for name, value in found.values.items():
                ours = math.nan if row[name] is None else row[name]
                theirs = math.nan if value is None else value
                assert ours == pytest.approx(theirs, rel=1e-6, nan_ok=True), name


def test_the_winner_is_drawn_on_its_first_dataset(home, experiment, board, robust):
    name, found = drawn_signal(*home.place, experiment, board)
    key = name, board.table["set_id"][0].as_py()
    rows = robust.monte_carlo.table.to_pylist()
    [first] = [row for row in rows if (row["scenario_key"], row["set_id"]) == key]
    assert first["paths"] == found.paths
    assert name == next(iter(stages(home, experiment))).data.dataset.dataset_id


def test_a_candidate_that_is_not_what_it_names_is_refused(home, experiment, board):
    row = board.table.slice(0, 1).to_pylist()[0]
    chosen = chosen_of(experiment, row)
    assert chosen.set_id == row["set_id"]
    told = json.loads(row["params"])
    for changed in (
        {**row, "params": json.dumps({**told, "eval.threshold": 0.123})},
        {**row, "set_id": "0" * 32},
    ):
        with pytest.raises(IntegrityError) as raised:
            chosen_of(experiment, changed)
        assert raised.value.code == "CANDIDATE_DIFFERS"


@pytest.mark.parametrize("name", ["sharpe", "mean_pnl_ticks", "total_pnl_ticks", "tp_rate"])
def test_an_objective_in_a_window_is_that_of_the_trades_in_it(home, name):
    experiment = ready(home, small(objective=name, promotion=None))
    windows = np.array([[40, 100], [100, 180]])
    rng = np.random.default_rng(4)
    trades = [[rng.normal(1, 3, n) for n in counts] for counts in ((7, 3), (0, 5), (1, 0))]
    totals = np.array(
        [[[len(pnl), pnl.sum(), (pnl**2).sum(), (pnl > 0).sum()] for pnl in one] for one in trades]
    )
    found = objective_of(experiment, totals, windows)
    assert found.shape == (2, 3)
    for candidate, parts in enumerate(trades):
        for window, pnl in enumerate(parts):
            bins = int(windows[window, 1] - windows[window, 0])
            value = found[window, candidate]
            if not len(pnl):
                assert math.isnan(value)
                continue
            returns = np.zeros(bins)
            returns[: len(pnl)] = pnl / CAPITAL
            wanted = {
                "sharpe": returns.mean() / returns.std(ddof=1),
                "mean_pnl_ticks": pnl.mean(),
                "total_pnl_ticks": pnl.sum(),
                "tp_rate": (pnl > 0).mean(),
            }
            assert value == pytest.approx(wanted[name], rel=1e-9)


def test_trades_under_v1_are_those_that_were_tried():
    """The signal reads the flow, which v1 derives otherwise."""
    written = small(
        id="old",
        serving=serving_document(
            signal={"name": "erd", "params": {"zscore_window_bins": 20, "zscore_min_periods": 3}},
            pipeline={"pipeline": {"grid_radius_ticks": 50}},
        ),
        seeds="1",
        eval={"compat": "v1", "thresholds": [0.01, 0.05]},
        sweep={},
        promotion=None,
    )
    with datasets_home() as home:
        experiment = ready(home, written)
        made = run(home, experiment)
        [(_, table)] = chunks_of(home, made)
        [stage] = stages(home, experiment)
        v2 = 0
        for candidate, trial in zip(
            made.candidates.table.to_pylist(), table.to_pylist(), strict=True
        ):
            chosen = chosen_of(experiment, candidate)
            found = trades_of(home.runtime, experiment, stage, chosen)
            assert len(found["pnl_ticks"]) == trial["n_signals"]
            assert float(np.sum(found["pnl_ticks"])) == pytest.approx(trial["total_pnl_ticks"])
            [values] = signal_values(stage.data, home.runtime, signal("erd"), [chosen.params])
            evaluator = evaluator_of(stage.data, experiment.spec.settings, FIRST)
            v2 += len(evaluator.trades(values, chosen.rule)["pnl_ticks"]) != trial["n_signals"]
        assert v2
