"""Runs told to a real MLflow server: every field, each run once, and whatever the server does.

Its answers are read back through its REST interface. The client's package is not asked for them.
"""

import http.client
import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contracts.backtest import BacktestSettings
from contracts.costs import Costs
from islandflow_resources import mlflow_client
from islandflow_resources.retries import Patience
from islandflow_resources.tracking import (
    TrackingReport,
    experiment_name,
    settings_told,
    track,
    tracked_trial,
)

pytestmark = pytest.mark.xdist_group("mlflow")

ROOT = Path(__file__).parents[2]
SETTINGS = BacktestSettings(initial_cash=50_000.0, bar_delay=2, costs=Costs(fee_bps=2.5))
METRICS = {"sharpe": 1.25, "trades": 31.0, "calmar": None, "profit_factor": float("inf")}
SHORT = Patience(total_s=0.6, first_s=0.05, longest_s=0.1)
LONG = Patience(total_s=90.0, first_s=0.1, longest_s=0.5)
ALL_SENT = TrackingReport(50, 0, None)


@pytest.fixture
def experiment(request):
    """An experiment of one test."""
    return experiment_name(request.node.name)


def trial(number, campaign="momentum", config_hash="sha256:c0ffee"):
    return tracked_trial(
        campaign=campaign,
        config_hash=config_hash,
        local_run_id=f"sha256:{number:08x}{'0' * 56}",
        strategy_id="crossing",
        dataset_id=f"trend-0a1b2c3d4e5f|{number}",
        params={"slow": 20.0, "fast": 5.0},
        settings=settings_told(SETTINGS),
        metrics=METRICS,
        elapsed_s=0.125,
    )


def trials(count, **fields):
    return [trial(number, **fields) for number in range(count)]


def pairs(items):
    return {item["key"]: item["value"] for item in items}


def assert_complete(server, experiment, count):
    """Assert that the experiment has so many runs, each once and finished."""
    runs = server.runs(experiment)
    keys = {pairs(run["data"]["tags"])["local_run_id"] for run in runs}
    assert len(runs) == len(keys) == count
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}


def test_a_trial_has_the_fields_of_a_run():
    run = trial(7)
    identity = {
        "campaign": "momentum",
        "signal_name": "crossing",
        "dataset_id": "trend-0a1b2c3d4e5f|7",
        "grid_variant_id": "none",
    }
    provenance = {"config_hash": "sha256:c0ffee", "local_run_id": f"sha256:00000007{'0' * 56}"}
    assert run.run_name == "momentum:crossing:trend-0a1b2c3d4e5f|7:00000007"
    assert run.tags == {**identity, **provenance}
    assert run.params == {
        **identity,
        "signal_params_json": '{"fast":5,"slow":20}',
        "initial_cash": "50000.0",
        "bar_delay": "2",
        "fee_bps": "2.5",
    }
    assert run.metrics == {
        "sharpe": 1.25,
        "trades": 31.0,
        "elapsed_seconds": 0.125,
        "n_threshold_rows": 1.0,
    }
    meta, rows = (json.loads(data) for data in run.artifacts.values())
    assert list(run.artifacts) == ["harness/meta.json", "harness/results_by_threshold.json"]
    assert meta == {
        **identity,
        **provenance,
        "params": {"fast": 5, "slow": 20},
        "settings": settings_told(SETTINGS),
    }
    assert rows == [{"sharpe": 1.25, "trades": 31, "calmar": None, "profit_factor": None}]


def test_an_experiment_has_the_name_it_is_given_or_the_campaigns():
    assert experiment_name("momentum", "desk/alpha") == "desk/alpha"
    assert experiment_name("momentum") == "islandflow/momentum"


def test_fifty_runs_arrive_with_every_field_and_a_repeat_sends_none(
    tracking_server, experiment, monkeypatch
):
    runs = trials(50)
    assert track(tracking_server.uri, experiment, iter(runs), {"desk": "alpha"}) == ALL_SENT
    assert_complete(tracking_server, experiment, 50)
    stored = {
        pairs(run["data"]["tags"])["local_run_id"]: run for run in tracking_server.runs(experiment)
    }
    for run in runs:
        found = stored[run.tags["local_run_id"]]
        assert found["info"]["run_name"] == run.run_name
        assert {**run.tags, "desk": "alpha"}.items() <= pairs(found["data"]["tags"]).items()
        assert pairs(found["data"]["params"]) == run.params
        assert pairs(found["data"]["metrics"]) == run.metrics
    for path, data in runs[49].artifacts.items():
        assert tracking_server.artifact(stored[runs[49].tags["local_run_id"]], path) == data

    monkeypatch.setattr(mlflow_client, "PAGE", 7)
    again = track(tracking_server.uri, experiment, trials(51), {})
    assert again == TrackingReport(1, 0, None, known=50)
    assert_complete(tracking_server, experiment, 51)


def test_a_trial_of_another_campaign_is_another_run(tracking_server, experiment):
    for config_hash in ("sha256:aa", "sha256:bb"):
        runs = trials(1, config_hash=config_hash)
        assert track(tracking_server.uri, experiment, runs, {}) == TrackingReport(1, 0, None)
    assert len(tracking_server.runs(experiment)) == 2


def test_a_run_that_was_begun_and_not_finished_is_finished(tracking_server, experiment):
    run = trial(3)
    assert track(tracking_server.uri, experiment, trials(3), {}).sent == 3
    number = tracking_server.experiment_id(experiment)
    tags = [{"key": key, "value": value} for key, value in run.tags.items()]
    begun = {"experiment_id": number, "run_name": run.run_name, "start_time": 1, "tags": tags}
    run_id = tracking_server.post("runs/create", begun)["run"]["info"]["run_id"]
    metric = {"run_id": run_id, "key": "sharpe", "value": 1.25, "timestamp": 1}
    tracking_server.post("runs/log-metric", metric)
    assert track(tracking_server.uri, experiment, [run], {}) == TrackingReport(1, 0, None)
    assert_complete(tracking_server, experiment, 4)
    found = tracking_server.get("runs/get", run_id=run_id)["run"]
    assert pairs(found["data"]["metrics"]) == run.metrics
    history = tracking_server.get("metrics/get-history", run_id=run_id, metric_key="sharpe")
    assert len(history["metrics"]) == 1


@pytest.mark.faults
def test_a_server_killed_midway_loses_no_run_that_is_told_again(tracking_server, experiment):
    reports = []
    telling = threading.Thread(
        target=lambda: reports.append(track(tracking_server.uri, experiment, trials(50), {}, SHORT))
    )
    telling.start()
    wait_for_runs(tracking_server, experiment, 10)
    tracking_server.server.kill()
    telling.join()

    # Told again while the server is still starting: it is waited for.
    telling = threading.Thread(
        target=lambda: reports.append(track(tracking_server.uri, experiment, trials(50), {}, LONG))
    )
    telling.start()
    tracking_server.server.start()
    telling.join()
    report = reports[0]
    assert 0 < report.failed < 50
    assert report.sent + report.failed == 50
    assert report.problem is not None
    assert f"{report.failed} of 50 runs were not sent" in report.problem
    assert f"{tracking_server.uri}: it does not answer" in report.problem
    assert reports[1].sent + reports[1].known == 50
    assert reports[1].known >= report.sent
    assert_complete(tracking_server, experiment, 50)


def wait_for_runs(server, experiment, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if len(server.runs(experiment)) >= count:
                return
        except LookupError:
            pass  # the experiment is not there yet
        time.sleep(0.02)
    raise AssertionError(f"{experiment} never had {count} runs")


@contextmanager
def faulty(server, path, fault):
    """A proxy before the server at which the first request to a path goes wrong.

    ``lost`` passes it on and drops the answer; a number is answered without passing it on.
    """
    faults = {path: fault}

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            faults_now = faults.pop(self.path.partition("?")[0].rpartition("/mlflow/")[2], None)
            if isinstance(faults_now, int):
                self.answer(
                    faults_now, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "x"}'
                )
                return
            onward = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            onward.request(self.command, self.path, body, dict(self.headers))
            answer = onward.getresponse()
            data = answer.read()
            onward.close()
            if faults_now is None:
                self.answer(answer.status, data)
            else:
                self.close_connection = True

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815

        def answer(self, status, data):
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            """Print nothing."""

    with serving(Handler) as uri:
        yield uri
    assert not faults, "the fault was never met"


@contextmanager
def serving(handler):
    """The address of an HTTP server in this process."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.faults
@pytest.mark.parametrize("path", ["runs/create", "runs/log-batch", "runs/update"])
def test_an_answer_lost_on_the_way_doubles_no_run(tracking_server, experiment, path):
    with faulty(tracking_server, path, "lost") as uri:
        assert track(uri, experiment, trials(6), {}, LONG) == TrackingReport(6, 0, None)
    assert_complete(tracking_server, experiment, 6)


@pytest.mark.faults
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(tracking_server, experiment, status):
    with faulty(tracking_server, "runs/log-batch", status) as uri:
        assert track(uri, experiment, trials(3), {}, LONG) == TrackingReport(3, 0, None)
    assert_complete(tracking_server, experiment, 3)


def test_an_experiment_that_somebody_else_makes_meanwhile_is_used(tracking_server, experiment):
    assert track(tracking_server.uri, experiment, trials(1), {}).sent == 1
    with faulty(tracking_server, "experiments/get-by-name", 404) as uri:
        assert track(uri, experiment, trials(2), {}) == TrackingReport(1, 0, None, known=1)


def test_a_run_that_the_server_refuses_fails_alone(tracking_server, experiment):
    runs = trials(4)
    runs[1].metrics["no * metric"] = 1.0
    report = track(tracking_server.uri, experiment, runs, {})
    assert (report.sent, report.failed) == (3, 1)
    assert report.problem is not None
    assert report.problem.startswith("1 run was not sent to the tracking server")
    assert "no * metric" in report.problem


def test_a_deleted_experiment_is_not_written_to(tracking_server, experiment):
    assert track(tracking_server.uri, experiment, trials(1), {}).sent == 1
    number = tracking_server.experiment_id(experiment)
    tracking_server.post("experiments/delete", {"experiment_id": number})
    report = track(tracking_server.uri, experiment, trials(2), {})
    assert (report.sent, report.failed) == (0, 2)
    assert "is deleted there; restore it, or name another one" in str(report.problem)


def test_nothing_to_tell_asks_nobody():
    assert track("nonsense", "e", [], {}) == TrackingReport(0, 0, None)


@pytest.mark.parametrize(
    "uri", ["nonsense", "file:///mlruns", "sqlite:///mlflow.db", "http://", "http://host:port"]
)
def test_an_address_that_is_none_is_refused_and_nothing_is_written(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = track(uri, "e", trials(2), {})
    assert (report.sent, report.failed) == (0, 2)
    assert "it is no http:// or https:// address" in str(report.problem)
    assert "http://127.0.0.1:5000" in str(report.problem)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_given_up_in_time_and_no_password_is_told(caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        begun = time.monotonic()
        report = track("http://me:s3cret@127.0.0.1:1/", "e", trials(3), {}, SHORT)
    assert time.monotonic() - begun < 10  # the client's import included
    assert report == TrackingReport(
        0,
        3,
        "3 of 3 runs were not sent to the tracking server http://127.0.0.1:1: "
        "it does not answer: Connection refused",
    )
    assert "attempt 1 failed" in caplog.text
    assert "s3cret" not in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_something_else_is_named():
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(403, "Not for you")

        def log_message(self, *_):
            """Print nothing."""

    with serving(Other) as uri:
        report = track(uri, "e", trials(2), {})
    assert (report.sent, report.failed) == (0, 2)
    assert uri in str(report.problem)
    assert "403" in str(report.problem)


def test_a_missing_client_is_reported_with_what_to_install():
    code = """
import importlib.abc, sys
class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mlflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
from islandflow_resources.tracking import TrackedRun, track
run = TrackedRun("r", {"local_run_id": "1"}, {}, {}, {})
report = track("http://127.0.0.1:5000", "e", [run], {})
print(report.sent, report.failed, report.problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "0 1 1 run was not sent to the tracking server http://127.0.0.1:5000: its client cannot be "
        "imported: No module named 'mlflow'; install it with: pip install 'islandflow[mlflow]'\n"
    )


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    before = dict(os.environ)
    track("http://127.0.0.1:1", "e", trials(1), {}, SHORT)
    assert dict(os.environ) == before
