"""The winner run as if live: the stored values again from the events, and any change noticed."""

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.dossiers import winner_of
from islandflow_resources.experiment_live import live_signal, probed, replayed
from islandflow_resources.experiment_stages import chosen_of
from islandflow_resources.grid_datasets import WHAT as GRID_DATASET
from islandflow_resources.signal_data import SignalData
from tests.islandflow_resources.campaigning import Home, damage
from tests.islandflow_resources.experimenting import (
    BINS,
    finished_copy,
    finished_folder,
    kept,
    opened,
    ready,
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
def board(home, experiment):
    return make_leaderboard(home.store, home.database, experiment, "run")


def of_signal(experiment, board, name):
    """The best candidate of a signal."""
    row = next(row for row in board.table.to_pylist() if row["strategy_id"] == name)
    return chosen_of(experiment, row)


@pytest.mark.parametrize("name", ["derivative", "msd", "spg"])
@pytest.mark.parametrize("number", [0, 1])
def test_events_pushed_again_give_the_bits_of_the_stored_dataset(
    home, experiment, board, name, number
):
    chosen = of_signal(experiment, board, name)
    with opened(home, experiment, number) as data:
        found = replayed(*home.place, data, chosen, experiment.captures[number])
        assert (found.problem, found.bins) == ("", BINS[number])
        assert found.update_us.shape == found.bin_us.shape == (BINS[number],)
        assert (found.update_us > 0).all()
        assert (found.bin_us >= found.update_us).all()


def changed(data, folder, column, bin_):
    """The dataset with one stored value changed; its digests are not looked at here."""
    dataset = kept(data.dataset, folder)
    path = dataset.folder / "grid.parquet"
    path.chmod(0o644)
    table = pq.read_table(path)
    values = table[column].to_numpy().copy()
    row = bin_ * (2 * data.runtime.grid_radius_ticks + 1) + 2
    values[row] += 0.25
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, table.schema.field(column), pa.array(values)), path)
    return SignalData(dataclasses.replace(dataset))


@pytest.mark.parametrize("bin_", [0, 77, BINS[0] - 1])
def test_one_stored_value_that_differs_is_noticed_in_its_bin(
    home, experiment, board, tmp_path, bin_
):
    chosen = of_signal(experiment, board, "msd")
    with opened(home, experiment) as data:
        other = changed(data, tmp_path / "other", "vacuum_variant", bin_)
        found = replayed(*home.place, other, chosen, experiment.captures[0])
        assert found.bins == BINS[0]
        assert found.problem.startswith(f"bin {bin_}: live ")


def test_the_events_of_another_seed_are_noticed(home, experiment, board):
    chosen = of_signal(experiment, board, "msd")
    with opened(home, experiment) as data:
        found = replayed(*home.place, data, chosen, experiment.captures[1])
        assert found.problem


def test_values_on_beginnings_are_those_on_the_whole(home, experiment, board):
    with opened(home, experiment) as data:
        for name in ("derivative", "msd", "spg"):
            found = probed(home.runtime, data, of_signal(experiment, board, name), 4)
            assert (found.probes, found.identical) == (4, True)


def test_what_running_the_winner_as_if_live_shows(home, experiment, board):
    live = live_signal(*home.place, experiment, winner_of(board))
    assert (live.probes, live.problem) == (3, "")
    assert (live.datasets, live.checksum_problem) == (2, "")
    assert 0 < live.latency_ms < 1_000


def test_a_damaged_dataset_is_named(board):
    with finished_copy() as home:
        experiment = ready(home)
        with opened(home, experiment, 1) as data:
            name = data.dataset.dataset_id
        assert name in {row.scenario_key for row in home.database.artefacts(what=GRID_DATASET)}
        damage(home.store, f"datasets/{name}/bins.parquet")
        live = live_signal(*home.place, experiment, winner_of(board))
        assert live.datasets == 1
        assert name in live.checksum_problem
