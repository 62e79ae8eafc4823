"""A campaign's trials on a real MLflow server: each a run, and no result lost to the server."""

import json

import pytest

from contracts.campaign import campaign_from
from islandflow_resources import campaigns
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_trials import run_trials
from islandflow_resources.executors import InProcess
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.tracked_trials import track_trials
from tests.graph import link_kernels

pytestmark = pytest.mark.xdist_group("mlflow")

MARKET = {
    "id": "drifting",
    "version": "0.1",
    "timeframe": "1m",
    "duration_bars": 300,
    "seed": 0,
    "family": "trend",
    "volume_model": "const",
    "params": {"drift": 1, "sigma": 10},
}
STRATEGY = {
    "id": "above",
    "name": "Above its average",
    "version": "0.1",
    "timeframe": "1m",
    "params": {"n": {"default": 10, "min": 4, "max": 40, "step": 4}},
    "rules": [
        {"if": "close > ma(close, n)", "then": "buy"},
        {"if": "close < ma(close, n)", "then": "close"},
    ],
    "risk": {"sizing": {"type": "percent_equity", "percent": 100}},
}


def told(item):
    return {one["key"]: one["value"] for one in item}


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A campaign of fifty trials, its leaderboard, and where they lie."""
    monkeypatch.setenv("ISLANDFLOW_HOME", str(tmp_path))
    link_kernels(tmp_path)
    resources = ResourceSet.from_environment()
    resources.engine_runtime.prepare()
    parts = resources.store, resources.database, resources.engine_runtime
    document = {
        "id": f"fifty_{tmp_path.name}"[:60].lower().replace("-", "_"),
        "version": "0.1",
        "scenarios": [MARKET],
        "seeds": "1-5",
        "strategies": [{"strategy": STRATEGY}],
        "tracking": {"tags": {"desk": "a"}, "run_name_prefix": "night"},
    }
    ready = campaigns.ready(campaign_from(document), resources.database)
    run_trials(*parts, ready, InProcess(*parts), "test", lambda _done, _total: None)
    return (*parts[:2], ready, make_leaderboard(*parts[:2], ready, "test"))


def test_fifty_trials_become_fifty_runs_with_their_fields(finished, tracking_server, monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_TRACKING_URI", tracking_server.uri)
    found = track_trials(*finished)
    assert found is not None
    assert (found.kept, found.problem) == (50, None)
    campaign = finished[2]
    runs = tracking_server.runs(f"islandflow/{campaign.spec.id}")
    assert len(runs) == 50
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    sets = {told(run["data"]["params"])["signal_params_json"] for run in runs}
    assert {json.loads(one)["n"] for one in sets} == set(range(4, 44, 4))
    for run in runs:
        tags, params, metrics = (told(run["data"][part]) for part in ("tags", "params", "metrics"))
        assert run["info"]["run_name"].startswith("night:above:drifting-")
        assert tags["config_hash"] == campaign.spec.campaign_hash
        assert tags["desk"] == "a"
        assert params["signal_name"] == tags["signal_name"] == "above"
        assert params["dataset_id"].split("|")[1] in {"1", "2", "3", "4", "5"}
        assert metrics["n_threshold_rows"] == 1.0
        assert "total_return" in metrics
    assert track_trials(*finished).kept == 50
    assert len(tracking_server.runs(f"islandflow/{campaign.spec.id}")) == 50


def test_no_server_in_the_environment_is_told_nothing(finished):
    assert track_trials(*finished) is None


def test_a_server_that_is_away_loses_no_result(finished, monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = track_trials(*finished)
    assert found.kept == 0
    assert "127.0.0.1:9" in found.problem
    store, database, ready, board = finished
    assert make_leaderboard(store, database, ready, "again").content_digest == board.content_digest
