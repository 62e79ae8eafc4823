"""Catalogue over both kinds of store: views, float prices, empty stores."""

import json

import numpy as np
import pytest

from contracts.columns import BARS, TRADES
from contracts.errors import IntegrityError
from contracts.seeds import MAX_SEED
from contracts.signal_columns import SIGNAL_TRIALS
from contracts.tape_columns import SESSION_STATES
from islandflow_resources.catalog import open_catalogue
from islandflow_resources.catalog_tables import view_names
from islandflow_resources.tables import from_arrays, store_table
from tests.islandflow_resources.signal_trials import run_row, trials_table
from tests.islandflow_resources.test_database import result
from tests.islandflow_resources.test_tables import trades


def store_bars(store, scenario, seed, first_ticks, tick_size):
    ticks = first_ticks + np.arange(3)
    arrays = dict.fromkeys(BARS.names, ticks) | {"ts_ns": np.arange(3) * 60_000_000_000}
    key = f"scenarios/{scenario}/{'a' * 64}/seed={seed}/v1/dataset.parquet"
    store_table(store, key, from_arrays(BARS, arrays), BARS, {"tick_size": tick_size})


@pytest.fixture
def filled(object_store):
    store_bars(object_store, "trend", 7, 10_000, "0.01")
    store_bars(object_store, "trend", MAX_SEED, 20_000, "0.01")
    store_bars(object_store, "shocks", 7, 10_000, "0.5")
    table = trades(2)
    store_table(object_store, f"backtests/{'b' * 64}/trades.parquet", table, TRADES)
    return object_store


def test_bars_show_float_prices_by_each_files_own_tick_size(filled):
    with open_catalogue(filled) as catalogue:
        rows = catalogue.sql(
            "SELECT scenario_id, seed, min(open), max(close), max(volume), max(high_ticks) "
            "FROM bars GROUP BY ALL ORDER BY scenario_id, seed"
        ).fetchall()
    assert rows == [
        ("shocks", 7, 5_000.0, 5_001.0, 10_002.0, 10_002),
        ("trend", 7, 100.0, 100.02, 10_002.0, 10_002),
        ("trend", MAX_SEED, 200.0, 200.02, 20_002.0, 20_002),
    ]


def test_paths_become_columns_and_timestamps_can_be_read(filled):
    with open_catalogue(filled) as catalogue:
        row = catalogue.sql(
            "SELECT scenario_hash, version, strftime(max(ts), '%H:%M') FROM bars "
            "WHERE seed = 7 AND scenario_id = 'trend' GROUP BY ALL"
        ).fetchone()
        rows = catalogue.sql("SELECT cache_key, reason FROM trades ORDER BY bar").fetchall()
    assert row == ("a" * 64, "1", "00:02")
    assert rows == [("b" * 64, "rule 0"), ("b" * 64, "rule 1")]


def test_every_layout_has_a_view_even_before_anything_is_stored(object_store):
    with open_catalogue(object_store) as catalogue:
        for name in [*view_names(), "results", "signal_runs", "artefacts", "controls"]:
            assert catalogue.sql(f"SELECT count(*) FROM {name}").fetchone() == (0,)
        empty = catalogue.sql("DESCRIBE bars").fetchall()
    store_bars(object_store, "trend", 7, 10_000, "0.01")
    with open_catalogue(object_store) as catalogue:
        full = catalogue.sql("DESCRIBE bars").fetchall()
    assert {row[0]: row[1] for row in full}.items() >= {row[0]: row[1] for row in empty}.items()


def test_trials_of_signals_say_their_dataset_and_signal_and_their_runs_stand_beside(object_store):
    table = trials_table({"a" * 32: [0.1, 0.2]})
    key = f"trials/dataset=mnqh6-1/signal=msd/{'c' * 64}.parquet"
    store_table(object_store, key, table, SIGNAL_TRIALS)
    runs = [run_row("a" * 32, "x", signal="msd", params={"weighted": 1.0}, tp_rate=None)]
    with open_catalogue(object_store, signal_runs=runs) as catalogue:
        rows = catalogue.sql(
            "SELECT t.dataset_id, t.signal, t.threshold, r.experiment, r.params, r.tp_rate "
            "FROM signal_trials t JOIN signal_runs r USING (run_id) ORDER BY t.threshold"
        ).fetchall()
    told = ("quiet", '{"weighted": 1.0}', None)
    assert rows == [("mnqh6-1", "msd", 0.1, *told), ("mnqh6-1", "msd", 0.2, *told)]


def test_results_of_the_database_stand_beside_the_files(filled):
    with open_catalogue(filled, [result(1), result(2, sharpe=1.5)]) as catalogue:
        rows = catalogue.sql("SELECT seed, sharpe FROM results ORDER BY seed").fetchall()
    assert rows == [(1, None), (2, 1.5)]


def test_the_truth_about_a_tape_has_to_be_asked_for(object_store):
    columns = {name: [0] for name in SESSION_STATES.names}
    texts = ("regime", "phase", "preset", "focus_symbols", "event_symbols")
    told = columns | {name: ["calm"] for name in texts}
    levels = {name: [1.5] for name in ("volatility", "liquidity", "cleanliness")}
    table = from_arrays(SESSION_STATES, told | levels)
    store_table(object_store, "labels/ab12/session_states.parquet", table, SESSION_STATES)
    with open_catalogue(object_store, labels_store=object_store) as catalogue:
        rows = catalogue.sql("SELECT tape_id, regime, volatility FROM labels.session_states")
        assert rows.fetchall() == [("ab12", "calm", 1.5)]
        shown = catalogue.sql("SELECT view_name FROM duckdb_views() WHERE schema_name = 'main'")
        assert "session_states" not in {name for (name,) in shown.fetchall()}
        assert catalogue.sql("SELECT count(*) FROM labels").fetchone() == (0,), "of bars: its view"


def test_documents_are_rows_by_what_they_say(object_store):
    figure = {"section": "order", "name": "ties", "value": 0.5, "low": None, "high": 1.0,
              "ok": True, "detail": ""}  # fmt: skip
    report = {"format": "islandflow-tape-report/1", "figures": [figure, {**figure, "ok": False}]}
    object_store.put_if_absent("reports/market/ab12/0f.json", json.dumps(report).encode())
    object_store.put_if_absent("reports/market/ab12/parity/0f.json", b"{}")
    with open_catalogue(object_store) as catalogue:
        rows = catalogue.sql("SELECT tape_id, report, name, value, low, high, ok FROM tape_figures")
        assert sorted(rows.fetchall()) == [
            ("ab12", "0f", "ties", 0.5, None, 1.0, False),
            ("ab12", "0f", "ties", 0.5, None, 1.0, True),
        ]


def test_a_file_that_is_no_parquet_is_named_and_no_view_is_made_of_it(object_store):
    object_store.put_if_absent(f"backtests/{'b' * 64}/trades.parquet", b"no parquet at all")
    with pytest.raises(IntegrityError) as caught:
        open_catalogue(object_store)
    [problem] = caught.value.problems
    assert (problem.code, problem.loc) == ("CATALOGUE_VIEW_BROKEN", "main.trades")
    assert "backtests/*/trades.parquet" in problem.message
