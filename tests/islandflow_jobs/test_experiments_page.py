"""docs/experiments.md is true: its experiment, its commands, and the signal that it adds.

What experiments come to is in tests/islandflow_resources/test_experiment_trials.py, how their
commands end in test_cli_experiments.py.
"""

import importlib.util
import itertools
import json
import re
import shlex

import numba
import numpy as np
import polars as pl
import pytest

from engine.signals import registry
from engine.signals.api import LiveSignal
from islandflow_jobs.jobs import CAMPAIGN_INBOX, EXPERIMENT_INBOX
from tests.architecture.sources import ROOT
from tests.graph import write_json
from tests.islandflow_jobs.test_jobs import drop, empty_the_inbox, errors_of, under
from tests.islandflow_resources.pipelines import pipeline_document

PAGE = (ROOT / "docs" / "experiments.md").read_text("utf-8")
[EXAMPLE] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
[SIGNAL] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RADIUS, ALPHA, REACH = 16, 0.2, 5


@pytest.fixture
def tilt(tmp_path, monkeypatch):
    """The page's signal, registered as the page says."""
    path = tmp_path / "tilt.py"
    path.write_text(SIGNAL, "utf-8")
    spec = importlib.util.spec_from_file_location("tilt", path)
    module = importlib.util.module_from_spec(spec)
    # For its kernel alone: what else is imported later has its own place.
    with monkeypatch.context() as own:
        own.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kernels"))
        spec.loader.exec_module(module)
    for known in (registry.STATISTICAL, registry.SIGNALS):
        monkeypatch.setitem(known, "tilt", module.Tilt)
    return module.Tilt


def experiment(**changes):
    """The page's signal at two parameter sets on a tape of four seconds."""
    pipeline = pipeline_document(pipeline={"grid_radius_ticks": RADIUS})
    return {
        "kind": "experiment",
        "id": "tilts",
        "version": "0.1",
        "serving": {
            "name": "tilted",
            "version": "0.1",
            "pipeline": pipeline,
            "scoring": {"zscore_window_bins": 20, "zscore_min_periods": 5},
            "signal": {"name": "tilt", "params": {"reach_ticks": REACH, "ema_alpha": ALPHA}},
        },
        "eval": {
            "tp_ticks": [1],
            "sl_ticks": [1],
            "max_hold_bins": 5,
            "warmup_bins": 5,
            "thresholds": [0.0],
        },
        "sweep": {"per_signal": {"tilt": {"reach_ticks": [REACH, 8]}}},
        "robustness": {
            "best": 1,
            "monte_carlo": None,
            "walk_forward": None,
            "overfitting": {"blocks": 4, "probes": 1},
        },
        **changes,
    }


def expected(bid, ask, reach):
    """The page's signal by numpy, from depths of shape (bins, 2R + 1)."""
    below = bid[:, RADIUS - reach : RADIUS].sum(axis=1)
    above = ask[:, RADIUS + 1 : RADIUS + 1 + reach].sum(axis=1)
    total = below + above
    share = np.divide(below - above, total, out=np.zeros_like(total), where=total > 0)
    values = share.copy()
    for i in range(1, values.size):
        values[i] = ALPHA * share[i] + (1 - ALPHA) * values[i - 1]
    return values


def test_the_example_of_the_page_is_what_it_says(islandflow, bare_home, tmp_path):
    path = tmp_path / "opening.yaml"
    path.write_text(EXAMPLE, "utf-8")
    code, [line], _ = islandflow("experiment", "check", path)
    assert code == 0
    # (2 of derivative, 1 of msd, 1 of spg) x 2 take-profits x 2 cooldowns, on 2 seeds.
    assert line.startswith("16 parameter sets x 2 datasets = 32 trials: opening_signals-")


@pytest.mark.parametrize("page", ["README.md", "docs/experiments.md"])
def test_every_command_that_a_page_names_is_there(islandflow, page):
    text = (ROOT / page).read_text("utf-8")
    shown = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    lines = [line for line in shown.splitlines() if line.startswith("islandflow experiment ")]
    commands = [shlex.split(line, comments=True) for line in lines]
    assert commands
    for _, group, verb, *rest in commands:
        code, help_lines, _ = islandflow(group, verb, "--help")
        assert code == 0
        told = "\n".join(help_lines)
        assert all(option in told for option in rest if option.startswith("--")), (verb, rest)


def test_the_commands_of_the_page_are_all_there_are(islandflow):
    table = PAGE.split("## All commands")[1]
    rows = [row for row in table.splitlines() if row.startswith("| `") and "…" not in row]
    named = {name for row in rows for name in re.findall(r"`([a-z][a-z-]+)[ `]", row.split("|")[1])}
    _, lines, _ = islandflow("experiment", "--help")
    listed = lines[lines.index("Commands:") + 1 :]
    assert named == {line.split()[0] for line in listed if line.strip()}


def test_the_signal_of_the_page_gives_the_same_bits_in_batches_and_what_numpy_gives(tilt):
    rng = np.random.default_rng(7)
    bid, ask = rng.integers(0, 50, (2, 60, 2 * RADIUS + 1)).astype(np.float64)
    bid[20:25], ask[20:25] = 0.0, 0.0
    params = {"reach_ticks": REACH, "ema_alpha": ALPHA}
    mid, ts_ns = np.full(60, 100.0), np.arange(60)
    found = []
    for batches in (np.arange(61), np.array([0, 7, 60])):
        live = LiveSignal("tilt", params, RADIUS, 100, 0.25)
        parts = [
            live.push({"bid_depth": bid[a:b], "ask_depth": ask[a:b]}, mid[a:b], ts_ns[a:b])
            for a, b in itertools.pairwise(batches)
        ]
        found.append(np.concatenate(parts))
    assert found[0].tobytes() == found[1].tobytes()
    np.testing.assert_allclose(found[0], expected(bid, ask, REACH), rtol=0, atol=1e-12)
    assert np.ptp(found[0]) > 0.1


def test_the_signal_of_the_page_takes_part_in_experiments(islandflow, bare_home, tmp_path, tilt):
    file = write_json(tmp_path / "tilts.json", experiment())
    code, lines, err = islandflow("experiment", "run", file, "--no-promote")
    assert (code, err) == (0, [])
    assert "rank 1: tilt (threshold 0, tp_ticks 1" in lines[2]
    assert f"ema_alpha {ALPHA:g}" in lines[2]
    _, listed, _ = islandflow("experiment", "list-datasets")
    dataset_id, bins, runs, _ = listed[1].split("\t")
    assert runs == "2"
    out = tmp_path / "values.parquet"
    params = json.dumps({"reach_ticks": REACH, "ema_alpha": ALPHA})
    asked = ("--signal", "tilt", "--signal-params-json", params)
    assert islandflow("experiment", "signals", dataset_id, "--out", out, *asked)[0] == 0
    grid = pl.read_parquet(bare_home / "objects" / "datasets" / dataset_id / "grid.parquet")
    shape = (int(bins), 2 * RADIUS + 1)
    bid, ask = (grid[name].to_numpy().reshape(shape) for name in ("bid_depth", "ask_depth"))
    values = pl.read_parquet(out)["tilt"].to_numpy()
    np.testing.assert_allclose(values, expected(bid, ask, REACH), rtol=0, atol=1e-12)
    query = "SELECT signal, count(*) FROM signal_trials GROUP BY ALL"
    assert islandflow("sql", query)[1][1:] == ["tilt\t2"]
    query = "SELECT signal, json_extract(params, '$.reach_ticks') FROM signal_runs ORDER BY 2"
    assert islandflow("sql", query)[1][1:] == ["tilt\t5.0", "tilt\t8.0"]


def test_an_experiment_in_its_inbox_becomes_a_campaign(graph):
    plain = experiment(sweep={})
    plain["serving"]["signal"] = {"name": "msd"}
    broken = {**plain, "objective": "luck"}
    drop(graph, EXPERIMENT_INBOX, good=plain, broken=broken)
    drop(graph, CAMPAIGN_INBOX, lost=plain)
    assert empty_the_inbox(graph).success
    [key] = graph.instance.get_dynamic_partitions("campaign")
    assert key.startswith("tilts-")
    assert under(graph, "inbox/") == []
    found = errors_of(graph)
    assert [one["loc"] for one in found[f"{EXPERIMENT_INBOX}broken.json"]] == ["/objective"]
    [problem] = found[f"{CAMPAIGN_INBOX}lost.json"]
    assert EXPERIMENT_INBOX in problem["hints"][0]
