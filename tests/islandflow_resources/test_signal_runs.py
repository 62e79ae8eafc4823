"""Runs of signals recorded, asked for in every order, and looked into, on both databases."""

import pytest
from sqlalchemy import inspect

from contracts.errors import IntegrityError, NotFoundError
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.registry import Registry
from islandflow_resources.signal_runs import (
    SORTS,
    best_outcome,
    filters,
    find_run,
    query_runs,
    record_runs,
    run_detail,
    serving_aliases,
)
from islandflow_resources.tables import store_table
from tests.islandflow_resources.promotions import promotion, serving
from tests.islandflow_resources.signal_trials import TRIALS, ZERO, run_row, trials_table


def run_id(number):
    return f"{number:032x}"


def rows(*changes):
    return [run_row(run_id(number), ZERO, **change) for number, change in enumerate(changes)]


def numbers(found):
    return [int(row.run_id, 16) for row in found]


def test_a_run_is_recorded_once(database):
    assert record_runs(database, rows({}, {})) == 2
    assert record_runs(database, rows({"tp_rate": 0.9}, {}, {})) == 1
    assert find_run(database, run_id(0)).tp_rate == 0.5


def test_runs_without_a_value_come_last_and_ties_by_their_id(database):
    rates = (0.5, None, 0.7, 0.5, None)
    record_runs(database, rows(*({"tp_rate": rate, "sl_rate": rate} for rate in rates)))
    assert numbers(query_runs(database)) == [2, 0, 3, 1, 4]
    assert numbers(query_runs(database, sort="sl_rate")) == [0, 3, 2, 1, 4]


@pytest.mark.parametrize("sort", SORTS)
def test_every_column_sorts_the_way_that_is_better_first(database, sort):
    record_runs(database, rows(*({sort: value} for value in (20, 40, 10))))
    descending = sort in ("tp_rate", "mean_pnl_ticks", "events_per_hour", "n_signals")
    assert numbers(query_runs(database, sort=sort)) == ([1, 0, 2] if descending else [2, 0, 1])


def test_runs_are_filtered_and_cut_in_the_database(database):
    record_runs(
        database,
        rows(
            {"signal": "ads", "n_signals": 4},
            {"signal": "ads", "dataset_id": "mnqh6-2"},
            {"signal": "ads", "n_signals": None},
            {},
        ),
    )
    assert numbers(query_runs(database)) == [1, 3]
    assert numbers(query_runs(database, signal="ads", min_signals=0)) == [0, 1, 2]
    assert numbers(query_runs(database, "ads", "mnqh6-2")) == [1]
    assert numbers(query_runs(database, top_n=1)) == [1]
    assert query_runs(database, signal="ads' OR 1=1 --") == []


def test_filters_are_the_signals_and_datasets_that_have_runs(database):
    assert filters(database) == {"signals": [], "datasets": []}
    record_runs(database, rows({"signal": "pfp"}, {"signal": "ads"}, {"dataset_id": "a"}))
    expected = {"signals": ["ads", "derivative", "pfp"], "datasets": ["a", "mnqh6-1"]}
    assert filters(database) == expected


def test_an_index_leads_to_every_order_and_both_filters(database):
    database.migrate()
    found = inspect(database._engine()).get_indexes("signal_runs")
    assert {one["column_names"][0] for one in found} == {"signal", "dataset_id", *SORTS}


def test_a_run_is_served_while_an_alias_points_to_its_spec(database):
    registry = Registry(database)
    ours = {"kind": "signal", "candidate_key": run_id(1)}
    registry.promote(promotion(1, spec=serving(1, **ours)))
    registry.promote(promotion(2, spec=serving(1, **ours), alias="also"))
    registry.promote(promotion(3, spec=serving(3, candidate_key=run_id(2)), alias="strategy"))
    wanted = [run_id(number) for number in range(3)]
    assert serving_aliases(database, wanted) == {run_id(1): ["also", "champion"]}
    registry.promote(promotion(4, spec=serving(4)))
    assert serving_aliases(database, wanted) == {run_id(1): ["also"]}
    assert serving_aliases(database, []) == {}


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


def detail_of(database, store, first_row, row_count):
    table = trials_table({run_id(0): (0.1, 0.2), run_id(1): (0.3, 0.4, 0.5)})
    stored = store_table(store, "experiments/trials.parquet", table, TRIALS)
    record_runs(database, [run_row(run_id(1), stored.content_digest, first_row, row_count)])
    return run_detail(store, database, run_id(1))


def test_a_detail_has_the_rows_of_the_run_and_no_others(database, store):
    found = detail_of(database, store, 2, 3)
    assert [row["threshold"] for row in found.thresholds] == [0.3, 0.4, 0.5]
    assert (found.run.run_id, found.aliases) == (run_id(1), [])


@pytest.mark.parametrize("place", [(1, 3), (2, 4), (9, 1)])
def test_rows_that_are_not_the_runs_are_refused(database, store, place):
    with pytest.raises(IntegrityError, match="RUN_ROWS_DIFFER"):
        detail_of(database, store, *place)


def test_a_table_that_was_changed_is_refused(database, store):
    table = trials_table({run_id(0): (0.1,)})
    store_table(store, "experiments/trials.parquet", table, TRIALS)
    record_runs(database, [run_row(run_id(0), "blake3:" + "0" * 64)])
    with pytest.raises(IntegrityError):
        run_detail(store, database, run_id(0))


def test_a_run_that_is_not_recorded_is_not_found(database, store):
    with pytest.raises(NotFoundError, match="RUN_NOT_FOUND"):
        run_detail(store, database, run_id(5))


def outcome(threshold, n_signals, tp_rate):
    return {"threshold": threshold, "n_signals": n_signals, "tp_rate": tp_rate}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], None),
        ([(0.1, 9, 0.4), (0.2, 6, 0.6), (0.3, 2, 1.0)], 0.2),
        ([(0.1, 3, 0.4), (0.2, 4, 0.1)], 0.2),
        ([(0.1, 9, 0.4), (0.2, 9, 0.4)], 0.1),
        ([(0.1, 0, None), (0.2, 0, None)], 0.1),
    ],
)
def test_the_threshold_that_stands_for_a_run(outcomes, expected):
    found = best_outcome([outcome(*one) for one in outcomes], 5)
    assert (found and found["threshold"]) == expected
