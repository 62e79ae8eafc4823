"""``islandflow backtest run``: any bars in, four files out, and nothing at all for bad input."""

import json
import shutil

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from contracts.backtest import METRICS
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.resource_set import ResourceSet
from tests.graph import CALM, CROSSOVER, MOODY, market, write_json
from tests.islandflow_jobs.commands import files, refused
from tests.islandflow_resources import ohlcv_files

ANSWER = {"metrics.json", "equity.parquet", "trades.parquet", "result.json"}
COPIES = ANSWER - {"result.json"}
SELLS = CROSSOVER["rules"][1]


@pytest.fixture
def place(tmp_path, bare_home):
    """A folder with a strategy, a scenario, costs and settings; the home is untouched."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_json(folder / "strategy.json", CROSSOVER)
    write_json(folder / "hourly.json", CROSSOVER | {"timeframe": "1h"})
    write_json(folder / "calm.json", CALM)
    write_json(folder / "costs.json", {"fee_bps": 25})
    write_json(folder / "settings.json", {"initial_cash": 500, "costs": {"fee_bps": 25}})
    ohlcv_files.write(folder / "bars.csv", ohlcv_files.bars(40))
    ohlcv_files.write(folder / "bars.parquet", ohlcv_files.bars(40))
    return folder


@pytest.fixture
def run(islandflow, place, tmp_path):
    """Run a backtest of the place's strategy; its outcome."""

    def once(data, *options, strategy="strategy.json", out="out"):
        return islandflow(
            "backtest", "run", "--strategy", place / strategy, "--data", data,
            "--out", tmp_path / out, *options,
        )  # fmt: skip

    return once


def answer(tmp_path, out="out"):
    return json.loads((tmp_path / out / "result.json").read_text("utf-8"))


def done(outcome):
    code, lines, err = outcome
    assert (code, err) == (0, []), err
    return lines


def test_a_scenario_is_simulated_and_the_answer_is_four_files(run, place, tmp_path):
    lines = done(run(place / "calm.json"))
    assert [line.split()[0] for line in lines] == ["computed", "160", "wrote"]
    assert set(files(tmp_path / "out")) == ANSWER
    told = answer(tmp_path)
    assert told["used_cache"] is False
    assert f"computed {told['cache_key']}" == lines[0]
    assert (told["strategy_id"], told["bars"], told["timeframe"]) == ("crossover", 160, "1m")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert set(metrics["metrics"]) == set(METRICS)
    equity = pl.read_parquet(tmp_path / "out" / "equity.parquet")
    assert (equity.height, equity["equity"][-1]) == (160, told["final_equity"])
    assert pq.read_table(tmp_path / "out" / "trades.parquet").num_rows == told["fills"] > 0


def test_a_second_run_is_served_from_the_cache_and_says_so(run, place, tmp_path):
    first = done(run(place / "calm.json"))
    before, store = files(tmp_path / "out"), files(tmp_path / "home" / "objects")
    assert len(store) == 4
    second = done(run(place / "calm.json"))
    after = files(tmp_path / "out")
    assert {name: after[name] for name in COPIES} == {name: before[name] for name in COPIES}
    assert answer(tmp_path) == {**json.loads(before["result.json"]), "used_cache": True}
    assert second == [first[0].replace("computed", "found"), *first[1:]]
    assert files(tmp_path / "home" / "objects") == store
    assert done(run(place / "calm.json", out="other"))[0].startswith("found ")


def test_a_seed_replaces_that_of_the_document(run, place, tmp_path):
    done(run(place / "calm.json", "--seed", "1", out="own"))
    assert done(run(place / "calm.json", out="again"))[0].startswith("found ")
    done(run(place / "calm.json", "--seed", str(2**63 - 1), out="other"))
    digests = {answer(tmp_path, out)["data_digest"] for out in ("own", "again", "other")}
    assert len(digests) == 2


def test_a_scenario_gives_the_result_that_the_graph_stored(islandflow, finished, tmp_path):
    strategy = write_json(tmp_path / "s.json", CROSSOVER)
    data = write_json(tmp_path / "calm.json", CALM)
    before = finished.objects()
    lines = done(
        islandflow("backtest", "run", "--strategy", strategy, "--data", data, "--seed", 2,
                   "--out", tmp_path / "out")
    )  # fmt: skip
    assert lines[0].startswith("found ")
    assert finished.objects() == before


def test_a_stored_dataset_its_file_and_its_scenario_are_one_request(
    islandflow, finished, place, tmp_path, monkeypatch
):
    monkeypatch.setenv("ISLANDFLOW_HOME", str(finished.resources.settings.home))
    store, ref = finished.resources.store, dataset_ref(market(MOODY), 2)
    copied = shutil.copy(store.root / ref.dataset_key, tmp_path / "mine.parquet")
    document = write_json(tmp_path / "moody.json", MOODY | {"seed": 2})
    keys = set()
    for number, data in enumerate([store.uri(ref.dataset_key), copied, document]):
        out = tmp_path / f"out{number}"
        lines = done(
            islandflow("backtest", "run", "--strategy", place / "strategy.json",
                       "--data", data, "--out", out)
        )  # fmt: skip
        assert lines[0].startswith("found ")
        keys.add(lines[0])
        assert answer(tmp_path, out.name)["tick_size"] == 0.01
    assert len(keys) == 1


def test_a_csv_and_a_parquet_of_the_same_bars_are_one_request(run, place, tmp_path):
    options = ("--bars-per-day", "6.5")
    first = done(run(place / "bars.csv", *options, strategy="hourly.json", out="csv"))
    second = done(run(place / "bars.parquet", *options, strategy="hourly.json", out="parquet"))
    assert [first[0].split()[0], second[0].split()[0]] == ["computed", "found"]
    told = answer(tmp_path, "csv")
    assert (told["tick_size"], told["metric_settings"]) == (None, {"bars_per_day": 6.5})
    around = done(run(place / "bars.csv", "--bars-per-day", "24", strategy="hourly.json", out="24"))
    assert around[0].startswith("computed ")


def test_costs_and_settings_are_other_requests_and_costs_alone_equal_settings_of_them(
    run, place, tmp_path
):
    write_json(place / "same.json", {"costs": {"fee_bps": 25}})
    keys = {}
    for name, options in {
        "none": (),
        "costs": ("--costs", place / "costs.json"),
        "same": ("--settings", place / "same.json"),
        "settings": ("--settings", place / "settings.json"),
    }.items():
        keys[name] = done(run(place / "calm.json", *options, out=name))[0].split()[1]
    assert keys["costs"] == keys["same"]
    assert len(set(keys.values())) == 3
    finals = {name: answer(tmp_path, name)["final_equity"] for name in keys}
    assert finals["costs"] < finals["none"]
    assert answer(tmp_path, "settings")["settings"] == {
        "initial_cash": 500.0, "costs": {"fee_bps": 25.0},
    }  # fmt: skip


def test_the_range_of_bars_can_be_cut_by_the_settings(run, place, tmp_path):
    write_json(place / "short.json", {"max_bars": 50})
    done(run(place / "calm.json", "--settings", place / "short.json"))
    equity = pl.read_parquet(tmp_path / "out" / "equity.parquet")
    assert (answer(tmp_path)["bars"], equity.height) == (50, 50)


def test_sessions_let_a_market_close_over_midnight(run, place):
    columns = ohlcv_files.bars(40)
    columns["ts_ns"] = [t + (row >= 20) * 10 * ohlcv_files.HOUR_NS
                        for row, t in enumerate(columns["ts_ns"])]  # fmt: skip
    path = ohlcv_files.write(place / "closes.csv", columns)
    options = ("--bars-per-day", "6.5")
    refused(run(path, *options, strategy="hourly.json"), "DATA_GAP")
    lines = done(run(path, *options, "--sessions", strategy="hourly.json"))
    assert lines[0].startswith("computed ")


def test_the_answer_to_another_request_is_not_written_over(run, place, tmp_path):
    done(run(place / "calm.json"))
    before, store = files(tmp_path / "out"), files(tmp_path / "home")
    [line] = refused(run(place / "calm.json", "--seed", "7"), "ANSWER_EXISTS")
    assert str(tmp_path / "out") in line
    assert (files(tmp_path / "out"), files(tmp_path / "home")) == (before, store)


@pytest.mark.parametrize("name", sorted(ANSWER))
@pytest.mark.parametrize("text", ["mine", "{}"])
def test_files_that_are_no_answer_are_not_written_over(run, place, tmp_path, name, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(text)
    [line] = refused(run(place / "calm.json"), "ANSWER_EXISTS")
    assert name in line
    assert files(tmp_path / "out") == {name: text.encode()}
    assert not (tmp_path / "home").exists()


def test_other_files_of_the_folder_stay(run, place, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    done(run(place / "calm.json"))
    assert set(files(tmp_path / "out")) == {*ANSWER, "notes.txt"}


def test_a_damaged_cache_is_put_aside_and_the_answer_made_again(run, place, tmp_path):
    done(run(place / "calm.json"))
    before = files(tmp_path / "out")
    path = next((tmp_path / "home" / "objects").rglob("equity.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    lines = done(run(place / "calm.json"))
    assert [line.split()[0] for line in lines] == ["quarantined"] * 4 + ["computed", "160", "wrote"]
    assert files(tmp_path / "out") == before


BAD = {
    "strategy missing": (("calm.json",), {"strategy": "nosuch.json"}, ["FILE_NOT_READABLE"]),
    "scenario missing": (("nosuch.json",), {}, ["FILE_NOT_READABLE"]),
    "bars missing": (("nosuch.csv",), {}, ["DATA_UNREADABLE"]),
    "costs missing": (("calm.json", "--costs", "no.json"), {}, ["FILE_NOT_READABLE"]),
    "settings missing": (("calm.json", "--settings", "no.json"), {}, ["FILE_NOT_READABLE"]),
    "all missing": (
        ("no.json", "--settings", "no.json"), {"strategy": "no.json"}, ["FILE_NOT_READABLE"] * 3,
    ),
    "both of costs and settings": (
        ("calm.json", "--costs", "costs.json", "--settings", "settings.json"),
        {},
        ["ARGUMENTS_INVALID at --costs"],
    ),
    "costs are no costs": (("calm.json", "--costs", "bad.json"), {}, ["at /colour", "at /fee_bps"]),
    "settings are none": (
        ("calm.json", "--settings", "bad.json"), {}, ["at /colour", "at /fee_bps"],
    ),
    "seed is none": (("calm.json", "--seed", "x"), {}, ["SEED_NOT_AN_INTEGER"]),
    "seed of a file": (("bars.csv", "--seed", "1"), {}, ["ARGUMENTS_INVALID at --seed"]),
    "seed of an address": (("file:///x", "--seed", "1"), {}, ["ARGUMENTS_INVALID at --seed"]),
    "trading day of a scenario": (
        ("calm.json", "--bars-per-day", "9"), {}, ["ARGUMENTS_INVALID at --bars-per-day"],
    ),
    "sessions of a scenario": (("calm.json", "--sessions"), {}, ["ARGUMENTS_INVALID"]),
    "no trading day": (("bars.csv",), {"strategy": "hourly.json"}, ["DATA_BARS_PER_DAY"]),
    "impossible day": (
        ("bars.csv", "--bars-per-day", "nan"), {"strategy": "hourly.json"}, ["DATA_BARS_PER_DAY"],
    ),
    "other timeframe": (("calm.json",), {"strategy": "hourly.json"}, ["BACKTEST_TIMEFRAME"]),
    "other timeframe of a file": (("bars.csv", "--bars-per-day", "24"), {}, ["DATA_GAP"]),
    "elsewhere": (("s3://other/scenarios/x/dataset.parquet",), {}, ["URI_ELSEWHERE"]),
    "a scenario as strategy": (
        ("calm.json",), {"strategy": "calm.json"}, ["DSL_STATIC_FAIL at /risk"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_nothing_is_written(run, place, tmp_path, name):
    [data, *options], changes, codes = BAD[name]
    write_json(place / "bad.json", {"fee_bps": -1, "colour": "red"})
    data = data if "://" in data else place / data
    options = [place / each if each.endswith(".json") else each for each in options]
    before = files(tmp_path)
    for line in refused(run(data, *options, **changes), *codes):
        assert "(hint: " in line
    assert files(tmp_path) == before
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "home" / "objects").exists()


def test_a_window_longer_than_the_data_is_refused_with_line_and_column(run, place, tmp_path):
    rules = [{"if": "close > open and\n  close > ma(close, 161)", "then": "buy"}, SELLS]
    write_json(place / "long.json", CROSSOVER | {"rules": rules})
    [line] = refused(run(place / "calm.json", strategy="long.json"), "DSL_STATIC_FAIL")
    assert "/rules/0/if line 2 column 21: " in line
    assert not (tmp_path / "out").exists()


def test_a_bad_row_is_refused_with_its_line(run, place, tmp_path):
    path = ohlcv_files.write(place / "bad.csv", ohlcv_files.bars(40, high={7: 1.0}))
    outcome = run(path, "--bars-per-day", "24", strategy="hourly.json")
    [line] = refused(outcome, "DATA_HIGH_LOW")
    assert "row 7, line 9" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", ["file", "file/below", "file/far/below"])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_computed(
    run, place, tmp_path, out
):
    (tmp_path / "file").write_text("x")
    refused(run(place / "calm.json", out=out), "FOLDER_NOT_WRITABLE")
    assert not (tmp_path / "home").exists()


def test_an_address_that_is_no_dataset_is_refused(
    islandflow, finished, place, tmp_path, monkeypatch
):
    monkeypatch.setenv("ISLANDFLOW_HOME", str(finished.resources.settings.home))
    store = finished.resources.store
    results = store.keys("backtests/")[0]
    for key in (results, "scenarios/x/y", "labels/scenarios/x/dataset.parquet"):
        outcome = islandflow(
            "backtest", "run", "--strategy", place / "strategy.json",
            "--data", store.root_uri + key, "--out", tmp_path / "out",
        )  # fmt: skip
        refused(outcome, "URI_NOT_A_DATASET")
    assert not (tmp_path / "out").exists()


def test_a_damaged_dataset_is_named_and_nothing_written(
    islandflow, finished, place, tmp_path, monkeypatch
):
    monkeypatch.setenv("ISLANDFLOW_HOME", str(finished.resources.settings.home))
    store, ref = finished.resources.store, dataset_ref(market(CALM), 1)
    path = store.root / ref.dataset_key
    path.write_bytes(path.read_bytes()[:-1])
    before = finished.objects()
    code, out, [line] = islandflow(
        "backtest", "run", "--strategy", place / "strategy.json",
        "--data", store.uri(ref.dataset_key), "--out", tmp_path / "out",
    )  # fmt: skip
    assert (code, out) == (1, [])
    assert store.uri(ref.dataset_key) in line
    assert finished.objects() == before
    assert not (tmp_path / "out").exists()


def test_on_servers_a_dataset_is_named_by_its_address_in_the_bucket(
    islandflow, place, tmp_path, services_environment, monkeypatch
):
    from engine import paths
    from islandflow_resources import datasets

    for name, value in services_environment.items():
        if name.startswith("ISLANDFLOW_"):
            monkeypatch.setenv(name, value)
    store, spec = ResourceSet.from_environment().store, market(CALM)
    ref = dataset_ref(spec, 1)
    datasets.publish(store, ref, paths.simulate(spec, 1), {})
    uri = store.uri(ref.dataset_key)
    assert uri.startswith("s3://")
    arguments = ("backtest", "run", "--strategy", place / "strategy.json", "--data", uri)
    first = done(islandflow(*arguments, "--out", tmp_path / "one"))
    second = done(islandflow(*arguments, "--out", tmp_path / "two"))
    assert [first[0].split()[0], second[0].split()[0]] == ["computed", "found"]
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert {name: one[name] for name in COPIES} == {name: two[name] for name in COPIES}
    assert len(store.keys("backtests/")) == 4
    assert not (tmp_path / "home" / "objects").exists()


def test_the_numbers_are_those_of_the_engine(run, place, tmp_path):
    done(run(place / "calm.json"))
    equity = pl.read_parquet(tmp_path / "out" / "equity.parquet")["equity"].to_numpy()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["metrics"]
    fall = equity / np.maximum.accumulate(np.maximum(equity, 100_000.0)) - 1
    assert metrics["max_drawdown"] == pytest.approx(fall.min(), rel=1e-12)
    assert metrics["total_return"] == pytest.approx(equity[-1] / 100_000 - 1, rel=1e-12)
