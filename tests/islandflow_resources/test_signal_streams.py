"""A stream's bins against the stored dataset, however they are asked for, with and without ends."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from contracts.errors import IntegrityError
from contracts.serving import StreamSource
from engine.signals.api import LiveSignal
from islandflow_resources.grid_datasets import read_bins
from islandflow_resources.grid_tables import bins_table
from islandflow_resources.settings import load_settings
from islandflow_resources.signal_streams import open_stream, signal_input
from tests.islandflow_jobs.serve.published import published
from tests.islandflow_resources.books import (
    GOOD_SEED,
    embedded,
    flip,
    order,
    short_tape,
    stored_grid,
    stored_tape,
)


class Place:
    """A store with a tape, and streams of it."""

    def __init__(self, folder):
        self.folder = folder
        self.numbers = itertools.count()
        self.store, self.database = embedded(folder)
        self.tape = stored_tape(self.store, self.database, folder)

    def made(self, **changes):
        """A dataset, and the spec of its stream."""
        wanted = order(**changes)
        workspace = self.folder / f"work-{next(self.numbers)}"
        made = stored_grid(self.store, self.database, workspace, self.tape.events, wanted)
        assert made.problem is None, made.problem
        source = StreamSource(
            what="tape",
            key=short_tape().partition_key,
            seed=GOOD_SEED,
            events_digest=self.tape.events.digest,
            start_ns=wanted.emit_from_ns,
            dataset_id=made.dataset_id,
        )
        return made.dataset, published(wanted.config, source)

    def stream(self, spec):
        settings = load_settings({"ISLANDFLOW_HOME": str(self.folder)})
        return open_stream(self.store, self.database, settings, spec, self.folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("streams"))


def taken(stream, steps):
    live = []
    for last in steps:
        live += stream.advance(last, 10_000)
    return live


def table(live):
    """The bins that were made, as the table of a dataset."""
    tables = [bins_table(one.bins).slice(one.row, 1) for one in live]
    return pa.concat_tables(tables).combine_chunks()


@pytest.mark.parametrize("width", [1, 7, 1_000])
def test_bins_are_those_of_the_dataset_however_many_are_asked_for_at_once(place, width):
    dataset, spec = place.made()
    stream = place.stream(spec)
    live = taken(stream, range(width - 1, dataset.bins + width, width))
    assert table(live).equals(read_bins(dataset))
    assert [one.number for one in live] == list(range(dataset.bins))
    assert (stream.is_ended, stream.count) == (True, dataset.bins)


def test_no_bin_is_given_before_it_is_asked_for(place):
    _, spec = place.made()
    stream = place.stream(spec)
    for last in (0, 1, 5):
        live = stream.advance(last, 10_000)
        assert live[-1].number == last
        assert (stream.count, stream.is_ended) == (last + 1, False)
    assert stream.advance(5, 10_000) == []


def test_of_many_bins_only_the_newest_are_kept_and_the_signal_has_seen_all(place):
    dataset, spec = place.made(state_model_zscore_min_periods=2)
    every = taken(place.stream(spec), [dataset.bins])
    some = place.stream(spec).advance(dataset.bins, 3)
    assert [one.number for one in some] == [dataset.bins - n for n in (3, 2, 1)]
    values = [one.value for one in every[-3:]]
    assert np.array_equal([one.value for one in some], values, equal_nan=True)


def test_a_stream_that_starts_late_is_warmed_up_as_its_dataset(place):
    first_ns = int(read_bins(place.made()[0])["bin_start_ns"][13].as_py())
    dataset, spec = place.made(emit_from_ns=first_ns)
    live = taken(place.stream(spec), range(dataset.bins + 1))
    assert table(live).equals(read_bins(dataset))
    assert live[0].bins.ints["bin_start_ns"][live[0].row] == first_ns


def test_the_value_is_that_of_the_signal_pushed_all_at_once(place):
    dataset, spec = place.made()
    live = taken(place.stream(spec), [dataset.bins])
    runtime = spec.runtime_snapshot.runtime_config
    signal = LiveSignal(spec.signal.name, spec.signal.params, runtime.grid_radius_ticks, 100, 0.25)
    whole = {id(one.bins): one.bins for one in live}
    values = np.concatenate([signal.push(*signal_input(bins)) for bins in whole.values()])
    assert np.array_equal([one.value for one in live], values, equal_nan=True)


def test_mid_prices_of_a_book_that_is_not_valid_are_not_given_to_signals(place):
    _, spec = place.made()
    one = place.stream(spec).advance(0, 1)[0]
    one.bins.ints["book_valid"][:] = 0
    columns, mid_price, ts_ns = signal_input(one.bins)
    assert np.isnan(mid_price).all()
    assert ts_ns.dtype == np.int64
    assert {"flow_score", "flow_state_code", "state5_code", "microstate_id"} <= columns.keys()
    assert {column.shape for column in columns.values()} == {(one.bins.rows, 9)}


def test_events_that_were_changed_are_refused(tmp_path):
    place = Place(tmp_path)
    _, spec = place.made()
    path = place.store.root / place.tape.events.key
    path.chmod(0o644)
    flip(path)
    with pytest.raises(IntegrityError, match="FILE_DIGEST_MISMATCH"):
        place.stream(spec)
