"""Trials of book signals: found again, resumed, shared, gathered in order."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from contracts.errors import ContractError, IntegrityError
from contracts.experiment import experiment_from
from islandflow_resources.campaigns import register
from islandflow_resources.experiment_trials import recorded_runs
from islandflow_resources.grid_datasets import WHAT as GRID_DATASET
from islandflow_resources.signal_runs import query_runs, run_detail
from tests.islandflow_resources.campaigning import Home, damage, digests
from tests.islandflow_resources.experimenting import (
    BINS,
    CANDIDATES,
    EVAL,
    FIRST,
    RUNS,
    TAPE,
    chunks_of,
    datasets_home,
    document,
    finished_copy,
    finished_folder,
    ready,
    run,
    serving_document,
    small,
)

pytestmark = pytest.mark.xdist_group("books")


@pytest.fixture(scope="module")
def home():
    home = Home.embedded(finished_folder())
    yield home
    home.database.dispose()


@pytest.fixture(scope="module")
def experiment(home):
    return ready(home)


@pytest.fixture(scope="module")
def made(home, experiment):
    return run(home, experiment)


@pytest.fixture(scope="module")
def chunks(home, made):
    return chunks_of(home, made)


# -- what is made, and that it is made once ------------------------------------------------------


def test_a_second_run_finds_everything_and_computes_nothing(home, experiment, made):
    before = home.objects(), len(home.database.artefacts()), rows_of(home)
    told = []
    again = run(home, experiment, lambda done, total: told.append((done, total)), "another")
    assert (again.trials, again.made, again.refused) == (RUNS, 0, ())
    assert digests(again) == digests(made)
    assert (home.objects(), len(home.database.artefacts()), rows_of(home)) == before
    assert told[0] == (0, RUNS)
    assert told[-1] == (RUNS, RUNS)
    assert recorded_runs(home.store, home.database, experiment) == RUNS


def rows_of(home):
    """The index of runs, to the last column but when."""
    rows = query_runs(home.database, min_signals=0, top_n=10_000)
    return sorted(
        json.dumps({c: str(getattr(row, c)) for c in row.__table__.columns.keys()})  # noqa: SIM118
        for row in rows
    )


def test_every_run_of_a_chunk_has_a_row_of_the_index_that_leads_back_to_its_thresholds(
    home, chunks
):
    rows = {row.run_id: row for row in query_runs(home.database, min_signals=0, top_n=10_000)}
    told = [run_id for _, table in chunks for run_id in table["run_id"].to_pylist()]
    assert rows.keys() == set(told)
    assert len(rows) == RUNS
    for run_id, row in rows.items():
        detail = run_detail(home.store, home.database, run_id)
        assert len(detail.thresholds) == told.count(run_id)
        enough = [one for one in detail.thresholds if one["n_signals"] >= EVAL["min_signals"]]
        best = max((one["tp_rate"] for one in enough), default=None)
        assert best is None or row.tp_rate == best
        own = json.loads(detail.thresholds[0]["params"])
        assert {
            f"signal.{name}": value for name, value in row.params.items()
        }.items() <= own.items()
        assert (row.tp_ticks, row.sl_ticks) == (own["eval.tp_ticks"], own["eval.sl_ticks"])


def test_ids_of_runs_are_those_of_what_is_run_wherever_it_is(home, experiment, chunks):
    ids = {run_id for _, table in chunks for run_id in table["run_id"].to_pylist()}
    with datasets_home() as other:
        twin = ready(other, document(id="twin", description="the same trials"))
        again = {
            run_id
            for _, table in chunks_of(other, run(other, twin))
            for run_id in table["run_id"].to_pylist()
        }
        assert again == ids
        changed = ready(other, document(eval={"max_hold_bins": 31}))
        others = {
            run_id
            for _, table in chunks_of(other, run(other, changed))
            for run_id in table["run_id"].to_pylist()
        }
        assert not others & ids
    assert len(ids) == RUNS


class StoppedError(Exception):
    """Where a run ends in the middle."""


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_run_that_was_interrupted_goes_on_behind_the_last_chunk(made, experiment, after):
    def stop(done, total):
        assert total == RUNS
        if done >= after:
            raise StoppedError

    with datasets_home() as home:
        own = ready(home)
        with pytest.raises(StoppedError):
            run(home, own, stop)
        recorded = recorded_runs(home.store, home.database, own)
        assert after <= recorded < RUNS
        again = run(home, own)
        assert (again.trials, again.made) == (RUNS, RUNS - recorded)
        assert digests(again) == digests(made)
        assert len(rows_of(home)) == RUNS


def test_two_at_once_neither_lose_nor_double_a_run(made):
    with datasets_home() as home:
        experiments = [ready(home), ready(home)]
        places = [home, Home.embedded(home.store.root.parent)]
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(run, places, experiments))
        assert {digests(one) for one in found} == {digests(made)}
        assert all(one.trials == RUNS for one in found)
        assert RUNS <= sum(one.made for one in found) <= 2 * RUNS
        assert len(rows_of(home)) == RUNS
        assert digests(run(home, experiments[0])) == digests(made)
        places[1].database.dispose()


def test_a_damaged_chunk_is_made_again_the_same(made):
    with finished_copy() as home:
        experiment = ready(home)
        row = made.chunks.table.to_pylist()[3]
        damage(home.store, row["object_key"])
        again = run(home, experiment)
        assert again.made == 4
        assert digests(again) == digests(made)


def test_a_damaged_dataset_is_reported_and_left():
    with finished_copy() as home:
        experiment = ready(home)
        [*_, name] = {row.scenario_key for row in home.database.artefacts(what=GRID_DATASET)}
        damage(home.store, f"datasets/{name}/grid.parquet")
        with pytest.raises(IntegrityError, match=name):
            run(home, experiment)


def test_an_experiment_whose_tapes_cannot_be_made_says_why_and_leaves_no_trial():
    market = {**TAPE["scenario"], "start_price": 2.0, "family": "trend",
              "params": {"drift": -500, "sigma": 5}}  # fmt: skip
    with datasets_home() as own:
        sunken = serving_document(
            signal={"name": "msd"}, capture={"tape": {**TAPE, "scenario": market}}
        )
        with pytest.raises(ContractError) as raised:
            run(own, ready(own, small(serving=sunken)))
        assert raised.value.code.endswith("_UNREPRESENTABLE")
        assert own.database.artefacts(what="signal_trials") == []
        assert rows_of(own) == []


def test_a_tape_that_is_too_short_is_refused_with_what_to_do():
    with datasets_home() as home:
        written = small(eval={"warmup_bins": BINS[0] - 10})
        with pytest.raises(ContractError) as raised:
            run(home, ready(home, written))
        assert (raised.value.code, raised.value.loc) == ("EXPERIMENT_TOO_SHORT", "/eval")
        assert "warmup_bins" in raised.value.hints[0]


# -- what is gathered ----------------------------------------------------------------------------


def test_candidates_gather_their_trials_in_order(made, chunks):
    table = made.candidates.table.to_pylist()
    assert [row["candidate"] for row in table] == list(range(CANDIDATES))
    assert len({row["set_id"] for row in table}) == CANDIDATES
    for row in table:
        own = [
            trials.slice(row["candidate"] - chunk["first_candidate"], 1).to_pylist()[0]
            for chunk, trials in chunks
            if 0 <= row["candidate"] - chunk["first_candidate"] < chunk["trials"]
        ]
        assert len(own) == row["datasets"] == 2
        assert {one["set_id"] for one in own} == {row["set_id"]}
        [told] = {one["params"] for one in own}
        assert json.loads(row["params"]) == {**json.loads(told), "variant": 0}
        assert row["trades"] == sum(one["n_signals"] for one in own)
        assert row["bars"] == sum(BINS) - 2 * FIRST
        scores = [
            one["sharpe"]
            for one in own
            if one["n_signals"] >= EVAL["min_signals"] and one["sharpe"] is not None
        ]
        assert row["defined"] == len(scores)
        if len(scores) == 2:
            assert row["score"] == pytest.approx(float(np.median(scores)))
        total = sum(one["return_power_1"] for one in own)
        assert row["return_power_1"] == pytest.approx(total, rel=1e-12, abs=1e-18)


def test_an_experiment_of_the_same_datasets_makes_only_its_trials(home):
    with finished_copy() as own:
        register(ready(own, small()), own.store, own.database)
        experiment = ready(own, small())
        before = {row.recipe_digest for row in own.database.artefacts(what=GRID_DATASET)}
        made = run(own, experiment)
        # msd in the same settings is known, the gap of the blocks is not the same.
        assert made.made == 4
        assert {row.recipe_digest for row in own.database.artefacts(what=GRID_DATASET)} == before


def test_the_document_of_the_helper_is_an_experiment():
    assert experiment_from(document()).campaign_key.startswith("tiny-")
