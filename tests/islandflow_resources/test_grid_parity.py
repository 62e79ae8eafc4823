"""Live equals offline, to the bit: in a fresh process, and with a state that is not right."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractError
from engine.grid.api import GridMachine
from islandflow_resources.grid_datasets import read_bins
from islandflow_resources.grid_parity import ParityProcess
from islandflow_resources.grid_replay import first_difference
from islandflow_resources.mbo_files import read_events
from tests.graph import KERNELS
from tests.islandflow_resources.books import (
    SECOND_NS,
    embedded,
    order,
    short_tape,
    stored_grid,
    stored_tape,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Events of a tape, its dataset, and one that starts late."""
    folder = tmp_path_factory.mktemp("parity")
    store, database = embedded(folder)
    source = stored_tape(store, database, folder / "tape").events
    late = order(compat="v1", emit_from_ns=short_tape().start_ns + SECOND_NS)
    made = [
        stored_grid(store, database, folder / name, source, wanted).dataset
        for name, wanted in (("whole", order()), ("late", late))
    ]
    return store.root / source.key, *made


def test_a_session_that_ends_has_the_parity_of_its_own_events(tmp_path):
    store, database = embedded(tmp_path)
    source = stored_tape(store, database, tmp_path / "tape").events
    until_ns = short_tape().start_ns + 2 * SECOND_NS
    wanted = replace(order(), emit_until_ns=until_ns)
    dataset = stored_grid(store, database, tmp_path / "built", source, wanted).dataset
    with ParityProcess(KERNELS) as process:
        parity = process.compare(store.root / source.key, dataset.folder, "MNQH6")
    assert (parity.difference, parity.is_whole) == ("", True)
    assert (parity.events, parity.bins) == (dataset.events, dataset.bins)
    assert dataset.bins < 25


def compared(events, folder, machine, most_events=0):
    return first_difference(machine, read_events(events, symbol="MNQH6"), folder, most_events)


def copied(dataset, folder, name, table):
    """The dataset's files in another folder, one of them with another table."""
    folder.mkdir()
    for path in dataset.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    pq.write_table(table, folder / name)
    return folder


def test_events_pushed_one_by_one_in_a_fresh_process_give_the_published_bits(built):
    events, whole, late = built
    with ParityProcess(KERNELS) as process:
        for dataset in (whole, late):
            parity = process.compare(events, dataset.folder, "MNQH6")
            assert parity.difference == ""
            assert parity.is_whole
            assert (parity.events, parity.bins) == (dataset.events, dataset.bins)
            assert parity.rows == 9 * dataset.bins
        part = process.compare(events, whole.folder, "MNQH6", 200)
        assert (part.events, part.is_whole, part.difference) == (200, False, "")
        assert part.bins < whole.bins
        with pytest.raises(ContractError) as caught:
            process.compare(events, whole.folder, "ESH6")
        assert caught.value.code == "MBO_SYMBOL_UNKNOWN"


@pytest.mark.parametrize("name", ["cells", "composites", "times"])
def test_a_state_that_is_not_the_initial_one_is_found(built, name):
    events, whole, _ = built
    machine = GridMachine(order().config)
    array = getattr(machine.state, name)
    array[array == 0] = 1
    parity = compared(events, whole.folder, machine)
    assert parity.difference.startswith(("bins.parquet", "grid.parquet"))


def test_a_single_bit_of_a_published_row_is_found_with_its_bin_column_and_row(built, tmp_path):
    events, whole, _ = built
    table = pq.read_table(whole.folder / "grid.parquet")
    column = table.schema.get_field_index("pressure_variant")
    values = table["pressure_variant"].to_numpy().copy()
    values.view(np.int64)[9 * 12 + 5] ^= 1
    other = table.set_column(column, table.schema.field(column), pa.array(values))
    folder = copied(whole, tmp_path / "bit", "grid.parquet", other)
    parity = compared(events, folder, GridMachine(order().config))
    assert parity.difference.startswith("grid.parquet, bin 12, column pressure_variant, row k = 1:")
    assert parity.rows == 9 * 12 + 5


@pytest.mark.parametrize("cut", [1, -1])
def test_a_bin_too_few_or_too_many_is_found(built, tmp_path, cut):
    events, whole, _ = built
    bins = read_bins(whole)
    other = bins.slice(0, bins.num_rows - 1) if cut > 0 else pa.concat_tables([bins, bins[-1:]])
    folder = copied(whole, tmp_path / "cut", "bins.parquet", other)
    parity = compared(events, folder, GridMachine(order().config))
    said = "ends after" if cut > 0 else "has more than"
    assert said in parity.difference


def test_another_configuration_is_found_at_the_first_bin_that_it_changes(built):
    events, whole, _ = built
    parity = compared(events, whole.folder, GridMachine(order(c1_v_add=1.5).config))
    assert parity.difference.startswith("grid.parquet, bin 12, column pressure_variant, row k = ")
    assert parity.rows < 9 * whole.bins
