"""What a tracking server is told of the trials of signals; sending is in test_tracking.py."""

import json

import pytest

from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.tracked_trials import tracked_runs
from tests.islandflow_resources.campaigning import Home
from tests.islandflow_resources.experimenting import finished_folder, ready

pytestmark = pytest.mark.xdist_group("books")

WANTED = 4


@pytest.fixture(scope="module")
def told():
    """Runs as they are told, best first within each chunk, and the leaderboard."""
    home = Home.embedded(finished_folder())
    experiment = ready(home)
    board = make_leaderboard(home.store, home.database, experiment, "run")
    runs = list(tracked_runs(home.store, home.database, experiment, board, WANTED))
    yield experiment, board.table.to_pylist(), runs
    home.database.dispose()


def test_the_best_trials_are_told_with_the_barriers_and_the_rates_of_signals(told):
    experiment, board, runs = told
    assert len(runs) == WANTED
    best = {row["params"]: row for row in board[: -(-WANTED // len(experiment.captures))]}
    for run in runs:
        params = json.loads(run.artifacts["harness/meta.json"])["params"]
        [row] = [one for text, one in best.items() if json.loads(text) == params]
        assert run.tags["signal_name"] == row["strategy_id"]
        assert run.tags["campaign"] == experiment.spec.id
        assert run.params["eval_tp_ticks"] == str(params["eval.tp_ticks"])
        assert run.params["eval_sl_ticks"] == str(params["eval.sl_ticks"])
        assert run.params["eval_max_hold_bins"] == str(experiment.spec.settings.max_hold_bins)
        assert run.params["grid_variant_id"] == "0"
        assert run.metrics["threshold"] == params["eval.threshold"]
        assert run.metrics["n_signals"] >= 0


def test_every_trial_is_told_under_a_name_of_its_own(told):
    _, _, runs = told
    assert len({run.tags["local_run_id"] for run in runs}) == WANTED
