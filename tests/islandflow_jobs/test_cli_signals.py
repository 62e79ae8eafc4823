"""Comparison, lists, simulation, values and evaluation under ``islandflow experiment``.

Documents, runs and promotion are in test_cli_experiments.py; ``evaluate`` on all golden rows in
tests/islandflow_resources/test_signal_series.py.
"""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.signals.registry import SIGNALS, STATISTICAL
from islandflow_resources.grid_datasets import WHAT as GRID_DATASET
from islandflow_resources.signal_runs import SORTS
from tests.experiment_graph import experiment_home
from tests.graph import graph_of
from tests.islandflow_jobs.commands import LINE, files, refused
from tests.islandflow_resources.experimenting import BINS, RUNS

pytestmark = pytest.mark.xdist_group("books")


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


def dataset_ids(graph):
    return sorted(row.scenario_key for row in graph.resources.database.artefacts(what=GRID_DATASET))


def failed(outcome, *said):
    """Assert that a command ended with 1, printed nothing, and said this on some line."""
    code, out, err = outcome
    assert (code, out) == (1, [])
    for wanted in said:
        assert any(wanted in line for line in err), err
    assert not any("Traceback" in line for line in err)
    return err


# -- comparison and lists ------------------------------------------------------------------------


@pytest.mark.parametrize("sort", SORTS)
def test_runs_are_compared_by_any_column_the_best_first(islandflow, judged, sort):
    code, out, err = islandflow("experiment", "compare", "--sort", sort, "--min-signals", 1)
    assert (code, err) == (0, [])
    head, *rows = [line.split("\t") for line in out]
    assert 5 < len(rows) <= RUNS
    assert all(len(row) == len(head) for row in rows)
    if sort in head:
        told = [row[head.index(sort)] for row in rows]
        known = [float(one) for one in told if one != "-"]
        assert told[: len(known)] == [one for one in told if one != "-"]
        assert known == sorted(known, reverse=sort not in ("sl_rate", "timeout_rate"))


def test_runs_are_narrowed_down(islandflow, judged):
    def rows(*options):
        return islandflow("experiment", "compare", "--min-signals", 0, *options)[1][1:]

    assert len(rows()) == RUNS
    assert {line.split("\t")[3] for line in rows("--signal", "msd")} == {"msd"}
    name = dataset_ids(judged)[0]
    assert {line.split("\t")[2] for line in rows("--dataset-id", name)} == {name}
    assert len(rows("--top", 3)) == 3
    assert rows("--signal", "luck") == []


@pytest.mark.parametrize(
    "options", [("--sort", "luck"), ("--top", 0), ("--top", "x"), ("--min-signals", -1)]
)
def test_a_senseless_comparison_is_bad_input(islandflow, judged, options):
    code, out, err = islandflow("experiment", "compare", *options)
    assert (code, out) == (2, [])
    assert any(options[0] in line for line in err)


def test_signals_are_listed_a_line_each_or_one_with_its_parameters(islandflow, bare_home):
    code, out, err = islandflow("experiment", "list-signals")
    assert (code, err) == (0, [])
    assert [line.split("\t")[0] for line in out] == list(SIGNALS)
    for name, one in SIGNALS.items():
        code, out, _ = islandflow("experiment", "list-signals", name)
        assert code == 0
        assert [line.split()[0] for line in out[3:]] == [each.name for each in one.parameters]
        assert str(one.least_radius) in out[1]
    refused(islandflow("experiment", "list-signals", "luck"), "SIGNAL_UNKNOWN")


def test_datasets_are_listed_with_their_runs(islandflow, judged):
    code, out, err = islandflow("experiment", "list-datasets")
    assert (code, err) == (0, [])
    rows = {line.split("\t")[0]: line.split("\t") for line in out[1:]}
    assert sorted(rows) == dataset_ids(judged)
    assert {row[1] for row in rows.values()} == {str(bins) for bins in BINS}
    assert {row[2] for row in rows.values()} == {str(RUNS // 2)}


# -- simulation, values, evaluation --------------------------------------------------------------


@pytest.mark.parametrize("name", ["msd", "derivative"])
def test_a_simulation_times_every_bin(islandflow, judged, name):
    dataset = dataset_ids(judged)[0]
    wanted = ("--signal", name, "--dataset-id", dataset, "--bin-budget-ms", 50)
    code, out, err = islandflow("experiment", "online-sim", *wanted)
    assert (code, err) == (0, [])
    assert out[0].startswith(f"{name} on {dataset}: ")
    assert int(out[0].split(": ")[1].split()[0]) in BINS
    assert [line.split(":")[0] for line in out[1:4]] == ["update", "threshold", "total"]
    assert "of a budget of 50 ms a bin" in out[4]
    assert out[-1].startswith("peak memory of the process ")


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"signal": "luck"}, ["SIGNAL_UNKNOWN"]),
        ({"signal-params-json": "{"}, ["DOCUMENT_NOT_JSON"]),
        ({"signal-params-json": "[1]"}, ["DOCUMENT_NOT_OBJECT"]),
        ({"signal-params-json": '{"weighted": "x"}'}, ["SIGNAL_PARAMS_INVALID"]),
        ({"signal-params-json": '{"weighted": true}'}, ["SIGNAL_PARAMS_INVALID"]),
        (
            {"signal-params-json": '{"colour": 1, "weighted": 9}'},
            ["SIGNAL_PARAMETER_UNKNOWN", "SIGNAL_PARAMETER_INVALID"],
        ),
    ],
)
def test_a_simulation_of_nonsense_is_refused(islandflow, judged, options, codes):
    wanted = {"signal": "msd", "dataset-id": dataset_ids(judged)[0], **options}
    named = [part for name, value in wanted.items() for part in (f"--{name}", value)]
    assert refused(islandflow("experiment", "online-sim", *named), *codes)


def test_a_dataset_that_is_not_there_is_not_found(islandflow, judged, tmp_path):
    sim = ("online-sim", "--signal", "msd", "--dataset-id")
    failed(islandflow("experiment", *sim, "nosuch"), "nosuch")
    out = tmp_path / "values.parquet"
    failed(islandflow("experiment", "signals", "nosuch", "--out", out), "nosuch")
    refused(islandflow("experiment", "signals", tmp_path, "--out", out), "GRID_MISSING")
    assert list(tmp_path.iterdir()) == []


def test_values_of_signals_are_written_once(islandflow, judged, tmp_path):
    dataset, out = dataset_ids(judged)[0], tmp_path / "values.parquet"
    code, [line], err = islandflow("experiment", "signals", dataset, "--out", out)
    assert (code, err) == (0, [])
    table = pq.read_table(out)
    assert table.column_names == ["bin_seq", "ts_ns", "mid_price", *STATISTICAL]
    assert table.num_rows in BINS
    assert line == f"{out}: {table.num_rows} bins of {', '.join(STATISTICAL)}"
    assert np.count_nonzero(table["msd"].to_numpy()) > 100
    before = out.read_bytes()
    refused(islandflow("experiment", "signals", dataset, "--out", out), "FILE_EXISTS")
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_values_of_one_signal_take_its_parameters(islandflow, judged, tmp_path):
    dataset, out = dataset_ids(judged)[0], tmp_path / "values.parquet"
    wanted = ("--signal", "msd", "--signal-params-json", '{"weighted": 0}')
    assert islandflow("experiment", "signals", dataset, "--out", out, *wanted)[0] == 0
    table = pq.read_table(out)
    assert table.column_names == ["bin_seq", "ts_ns", "mid_price", "msd"]
    other = tmp_path / "other.parquet"
    assert islandflow("experiment", "signals", dataset, "--out", other, *wanted[:2])[0] == 0
    assert pq.read_table(other)["msd"] != table["msd"]
    for name in ("ts_ns", "mid_price"):
        assert pq.read_table(other)[name] == table[name]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--signal", "luck"), "SIGNAL_UNKNOWN"),
        (("--compat", "v3"), "ARGUMENTS_INVALID"),
        (("--signal-params-json", '{"weighted": 0}'), "ARGUMENTS_INVALID"),
        (("--signal", "msd", "--signal-params-json", '{"x": 1}'), "SIGNAL_PARAMETER_UNKNOWN"),
        (("--compat", "v1"), "EXPERIMENT_V1_RADIUS"),
    ],
)
def test_values_that_cannot_be_are_refused_and_nothing_written(
    islandflow, judged, tmp_path, options, code
):
    out = tmp_path / "values.parquet"
    wanted = ("signals", dataset_ids(judged)[0], "--out", out)
    refused(islandflow("experiment", *wanted, *options), code)
    assert list(tmp_path.iterdir()) == []
    refused(
        islandflow("experiment", *wanted[:2], "--out", tmp_path / "no" / "x"), "FILE_NOT_WRITABLE"
    )


@pytest.fixture
def series(tmp_path):
    """A file of values as `signals` writes it."""
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "series.parquet"
    rng = np.random.default_rng(3)
    columns = {
        "ts_ns": np.arange(400, dtype=np.int64) * 100_000_000,
        "mid_price": 100.0 + np.cumsum(rng.integers(-1, 2, 400)) * 0.25,
        "signal": rng.normal(0, 1, 400),
        "other": rng.random(400),
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_a_series_is_evaluated_once(islandflow, bare_home, tmp_path, series):
    told = {"tp_ticks": [2, 4], "sl_ticks": [2], "warmup_bins": 10, "max_hold_bins": 40}
    wanted = (series, "--threshold", 0.5, "--threshold", 1.0, "--out", tmp_path / "out")
    command = ("experiment", "evaluate", *wanted, "--eval-json", json.dumps(told))
    code, [line], err = islandflow(*command)
    assert (code, err) == (0, [])
    assert pq.read_table(tmp_path / "out" / "summary.parquet").num_rows == 4
    trades = pq.read_table(tmp_path / "out" / "trades.parquet")
    assert line == f"{tmp_path / 'out'}: 4 rules, {trades.num_rows} trades"
    assert trades.num_rows > 10
    before = files(tmp_path / "out")
    refused(islandflow(*command), "FILE_EXISTS")
    assert files(tmp_path / "out") == before
    (tmp_path / "out" / "summary.parquet").unlink()
    refused(islandflow(*command), "FILE_EXISTS")
    assert set(files(tmp_path / "out")) == {"trades.parquet"}


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (("--column", "nosuch"), ["SERIES_COLUMN_MISSING"]),
        (("--mode", "luck"), ["SERIES_MODE"]),
        (("--tick-size", "0"), ["SERIES_TICK"]),
        (("--tick-size", "nan"), ["SERIES_TICK"]),
        (("--threshold", "nan"), ["at --threshold: "]),
        (("--threshold", "-1"), ["at --threshold: "]),
        (("--compat", "v3"), ["ARGUMENTS_INVALID"]),
        (("--eval-json", "{"), ["DOCUMENT_NOT_JSON"]),
        (("--eval-json", "[]"), ["DOCUMENT_NOT_OBJECT"]),
        (("--eval-json", '{"tp_ticks": [0], "colour": 1}'), ["/tp_ticks/0", "/colour"]),
    ],
)
def test_an_evaluation_of_nonsense_is_refused_and_nothing_written(
    islandflow, bare_home, tmp_path, series, options, codes
):
    wanted = ("evaluate", series, "--threshold", 0.5, "--out", tmp_path / "out", *options)
    code, out, err = islandflow("experiment", *wanted)
    assert (code, out) == (2, [])
    assert all(LINE.fullmatch(line) for line in err), err
    assert len(err) == len(codes)
    for expected in codes:
        assert any(expected in line for line in err), err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_file_that_is_no_series_is_refused(islandflow, bare_home, tmp_path):
    (tmp_path / "text").write_text("ts_ns")
    for path in (tmp_path / "nosuch", tmp_path / "text"):
        wanted = ("evaluate", path, "--threshold", 0.5, "--out", tmp_path / "out")
        refused(islandflow("experiment", *wanted), "SERIES_UNREADABLE")
    assert not (tmp_path / "out").exists()
