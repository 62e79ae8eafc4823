"""``islandflow experiment …``: what it prints, refuses and leaves behind.

What trials must be is in tests/islandflow_resources/test_experiment_trials.py; ``evaluate`` on all
golden rows in test_signal_series.py there.
"""

import json
import os

import pytest

from islandflow_resources.campaigns import registered
from tests.campaign_graph import only_campaign
from tests.experiment_graph import experiment_home, served_home
from tests.graph import graph_of, write_json
from tests.islandflow_jobs.commands import LINE, files, refused
from tests.islandflow_resources.campaigning import SHUT_GATE
from tests.islandflow_resources.experimenting import (
    RUNS,
    document,
    serving_document,
    small,
)

pytestmark = pytest.mark.xdist_group("books")

BAD_TEXTS = {
    "broken_yaml": b"a: [1,\n",
    "a_list": b"- 1\n",
    "not_utf8": b"id: \xff\n",
    "empty": b"",
    "a_campaign": b'{"id": "x", "version": "0.1"}',
}
BAD_FIELDS = {
    "one": ({"id": "Bad Id"}, ["/id"]),
    "several": (
        {"id": "Bad Id", "seeds": "1-x", "colour": "red"},
        ["/id", "/colour", "/seeds"],
    ),
    "settings": (
        {"eval": {"tp_ticks": [0], "calibration_share": 1.0, "positions": "many"}},
        ["/eval/tp_ticks/0", "/eval/calibration_share", "/eval/positions"],
    ),
    "names": ({"serving": "nosuch"}, ["/serving"]),
    "signals": (
        {"sweep": {"per_signal": {"luck": {}, "msd": {"colour": [1], "weighted": [2]}}}},
        [
            "/sweep/per_signal/luck",
            "/sweep/per_signal/msd/colour/0",
            "/sweep/per_signal/msd/weighted/0",
        ],
    ),
    "length": ({"eval": {"warmup_bins": 10_000}}, ["/eval"]),
    "v1": ({"eval": {"compat": "v1"}}, ["/promotion"]),
    "twice": ({"eval": {"thresholds": [0.1, 0.1]}}, ["/eval/thresholds/1"]),
}


@pytest.fixture(scope="module")
def finished():
    """A home whose experiment was run and not promoted; commands that change it copy it."""
    with graph_of(experiment_home()) as graph:
        yield graph


@pytest.fixture
def judged(finished, monkeypatch):
    """The same, seen by commands that only read."""
    monkeypatch.setenv("ISLANDFLOW_HOME", str(finished.resources.settings.home))
    before = finished.objects(), finished.rows(), finished.instance.get_runs_count()
    yield finished
    after = finished.objects(), finished.rows(), finished.instance.get_runs_count()
    assert after == before


@pytest.fixture
def changing(monkeypatch):
    """A home of one's own whose experiment was run."""
    with graph_of(experiment_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_HOME", str(graph.resources.settings.home))
        yield graph


@pytest.fixture
def served(monkeypatch):
    """A home of one's own whose winner is served."""
    with graph_of(served_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_HOME", str(graph.resources.settings.home))
        yield graph


@pytest.fixture
def written(tmp_path):
    """Write an experiment, the tiny one with some fields changed."""
    return lambda **changes: write_json(tmp_path / "experiment.json", document(**changes))


def failed(outcome, *said):
    """Assert that a command ended with 1, printed nothing, and said this on some line."""
    code, out, err = outcome
    assert (code, out) == (1, [])
    for wanted in said:
        assert any(wanted in line for line in err), err
    assert not any("Traceback" in line for line in err)
    return err


# -- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "register", "run"])
@pytest.mark.parametrize("name", BAD_TEXTS)
def test_what_is_no_experiment_is_refused(islandflow, bare_home, tmp_path, command, name):
    path = tmp_path / "experiment.yaml"
    path.write_bytes(BAD_TEXTS[name])
    code, out, err = islandflow("experiment", command, path)
    assert (code, out) == (2, [])
    assert err
    assert all(LINE.fullmatch(line) for line in err), err
    assert not bare_home.exists()


@pytest.mark.parametrize("command", ["check", "register", "run"])
def test_a_file_that_is_not_there_is_refused(islandflow, bare_home, command):
    refused(islandflow("experiment", command, "/nosuch.yaml"), "FILE_NOT_READABLE")
    assert not bare_home.exists()


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", BAD_FIELDS)
def test_every_problem_is_a_line_with_its_pointer_and_a_hint(
    islandflow, judged, written, command, name
):
    changes, places = BAD_FIELDS[name]
    code, out, err = islandflow("experiment", command, written(**changes))
    assert (code, out) == (2, [])
    assert all(LINE.fullmatch(line) for line in err), err
    for place in places:
        [line] = [line for line in err if f" at {place}:" in line]
        assert "(hint: " in line


def test_a_check_says_how_large_an_experiment_is_and_registers_nothing(islandflow, judged, written):
    code, [line], err = islandflow("experiment", "check", written(id="other"))
    assert (code, err) == (0, [])
    assert line.startswith(f"{RUNS // 2} parameter sets x 2 datasets = {RUNS} trials: other-")
    assert only_campaign(judged).startswith("tiny-")


def test_an_experiment_is_registered_once(islandflow, changing, written):
    path = written(id="other")
    first, again = (islandflow("experiment", "register", path) for _ in range(2))
    assert first[1][0].startswith("registered other-")
    assert again[1][0] == first[1][0].replace("registered", "unchanged")
    assert len(changing.instance.get_dynamic_partitions("campaign")) == 2


# -- runs ----------------------------------------------------------------------------------------


def test_a_run_again_computes_nothing_and_serves_the_winner(islandflow, changing, written):
    code, out, err = islandflow("experiment", "run", written())
    assert (code, err) == (0, [])
    assert out[0] == f"computed 0 of {RUNS} trials, found the others recorded"
    assert out[1] == f"campaign {only_campaign(changing)}: all {RUNS} trials recorded"
    assert out[-1] == "served as live, revision 1"
    code, out, _ = islandflow("verify", "live")
    assert (code, len(out)) == (0, 4)
    assert out[0].startswith("verified sha256:")


def test_a_new_run_says_how_many_trials_it_computed(islandflow, changing, tmp_path):
    path = write_json(tmp_path / "small.json", small(eval={"min_signals": 1}))
    code, out, err = islandflow("experiment", "run", path, "--no-promote")
    assert (code, err) == (0, [])
    assert out[0] == "computed 4 of 4 trials, found the others recorded"
    assert out[-1] == "nothing of it is published"
    code, out, _ = islandflow("experiment", "resume", "small", "--no-promote")
    assert (code, out[0]) == (0, "computed 0 of 4 trials, found the others recorded")


def test_a_run_that_fails_says_why_and_how_to_go_on(islandflow, changing, tmp_path):
    path = write_json(tmp_path / "small.json", small(eval={"calibration_share": 0.0}))
    assert failed(islandflow("experiment", "run", path), "CALIBRATION_EMPTY", "resume small-")


def test_what_is_not_registered_is_not_found(islandflow, judged):
    for command in ("status", "resume", "promote"):
        assert failed(islandflow("experiment", command, "ghost"), "CAMPAIGN_NOT_REGISTERED")


def test_status_tells_how_far_experiments_are(islandflow, judged):
    key = only_campaign(judged)
    assert islandflow("experiment", "status") == (
        0, [f"{key}: all {RUNS} trials recorded, the gate passed"], [],
    )  # fmt: skip
    digest = registered(judged.resources.database, key).spec.campaign_hash
    for name in ("tiny", key, digest):
        code, out, _ = islandflow("experiment", "status", name)
        assert code == 0
        assert sum(line.startswith("rank ") for line in out) == 5
        assert any(line.startswith("  met     trades: ") for line in out)
        assert out[-1] == "nothing of it is published"


def test_an_empty_home_says_so(islandflow, bare_home):
    [line] = islandflow("experiment", "compare")[1]
    assert line.startswith("there are no runs yet")
    assert "islandflow experiment run FILE" in line
    [line] = islandflow("experiment", "list-datasets")[1]
    assert line.startswith("there is no grid dataset")
    assert islandflow("experiment", "status")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("resume",),
        ("online-sim", "--signal", "msd"),
        ("signals", "x"),
        ("evaluate", "x", "--out", "y"),
        ("promote",),
        ("nosuch",),
    ],
)
def test_a_usage_error_ends_with_two(islandflow, bare_home, arguments):
    code, out, err = islandflow("experiment", *arguments)
    assert (code, out) == (2, [])
    assert "Traceback" not in "\n".join(err)
    assert not bare_home.exists()


# -- promotion -----------------------------------------------------------------------------------


def test_a_promotion_can_be_tried_first_and_is_made_once(islandflow, changing):
    before = changing.objects(), changing.rows()
    code, [said], err = islandflow("experiment", "promote", "tiny", "--dry-run")
    assert (code, err) == (0, [])
    assert said.startswith("would publish sha256:")
    assert (changing.objects(), changing.rows()) == before
    code, [done], _ = islandflow("experiment", "promote", "tiny", "--alias", "other")
    assert code == 0
    assert done.endswith("served as other, revision 1")
    code, [said], _ = islandflow("experiment", "promote", "tiny", "--alias", "other", "--dry-run")
    assert said.startswith("would change nothing: other serves sha256:")
    refused(islandflow("experiment", "promote", "tiny", "--alias", "No Alias"), "ALIAS_INVALID")


def test_a_gate_that_refuses_names_every_criterion_and_can_be_answered_for(
    islandflow, changing, tmp_path
):
    path = write_json(
        tmp_path / "shut.json", small(id="shut", gate=SHUT_GATE, eval={"min_signals": 1})
    )
    code, out, err = islandflow("experiment", "run", path)
    assert (code, err) == (0, [])
    missed = [line.split()[2].rstrip(":") for line in out if line.startswith("  not met ")]
    assert len(missed) >= 3
    refused(islandflow("experiment", "promote", "shut"), *(["GATE_REFUSED"] * len(missed)))
    refused(islandflow("experiment", "promote", "shut", "--override"), "REASON_MISSING")
    code, [line], _ = islandflow(
        "experiment", "promote", "shut", "--override", "--reason", "I say so"
    )
    assert code == 0
    assert line.endswith("served as live, revision 1")


def test_what_is_served_is_shown_and_verified_from_the_seed(islandflow, served):
    shown = json.loads("\n".join(islandflow("serving", "show", "live")[1]))
    assert shown["spec"]["kind"] == "signal"
    assert shown["spec"]["source"]["campaign_key"] == only_campaign(served)
    code, out, err = islandflow("verify", "live")
    assert (code, err) == (0, [])
    assert out[2].startswith("2 datasets recomputed from their seeds")
    assert islandflow("experiment", "status", "tiny")[1][-1] == "served as live, revision 1"
    path = served.resources.store.root / shown["spec"]["evidence"]["object_key"]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(bytes(data))
    failed(islandflow("verify", "live"), "CHAIN_BROKEN at evidence")


def test_no_command_leaves_anything_outside_its_home(islandflow, judged, written, tmp_path):
    path = written(serving=serving_document())
    before = files(tmp_path), os.getcwd()
    for command in (("check", path), ("status",), ("compare",), ("list-datasets",)):
        assert islandflow("experiment", *command)[0] == 0
    assert (files(tmp_path), os.getcwd()) == before
