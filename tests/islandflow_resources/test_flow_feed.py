"""What the detector is handed of a tape: its events as they are, verified, and no label."""

import shutil

import numpy as np
import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape_columns import CONTRACTS, EVENT_CALENDAR, STREAMS
from contracts.tape_manifest import LABEL_FILES, MANIFEST, PROVENANCE
from engine.flow.api import events_of
from engine.flow.watermark import STREAM_COLUMNS
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_places import TapePlace, local_place
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.small_detections import copy_of, made_once
from tests.islandflow_resources.small_markets import flip
from tests.islandflow_resources.tape_tampering import SEED, Copy, with_value, written

READ = [f"{name}.parquet" for name in (*STREAMS, CONTRACTS.name, EVENT_CALENDAR.name)]


class Blind(FolderStore):
    """A store that says which of its objects are opened, and hands out no label."""

    def __init__(self, root):
        super().__init__(root)
        self.opened = set()

    def open(self, key):
        name = key.rpartition("/")[2]
        assert name not in LABEL_FILES, key
        self.opened.add(name)
        return super().open(key)


@pytest.fixture(scope="module")
def made():
    return made_once()


@pytest.fixture
def copied(made, tmp_path):
    return copy_of(made, tmp_path / "copy")


def test_every_event_is_what_the_source_said_and_texts_have_their_codes(made):
    feed, source = TapeFeed(made.place), PlainTape(plain_spec(), SEED)
    assert feed.contract_ids == source.contracts
    rows = source.contract_rows()
    for name in ("expiry_ns", "strike_ticks", "right"):
        assert feed.contracts[name].tolist() == rows[name].tolist()
    names = np.array(plain_spec().symbols)
    batches = list(feed)
    told = np.array(feed.symbols)
    assert told[feed.contracts["symbol"]].tolist() == names[rows["symbol"]].tolist()
    assert told[feed.calendar["symbol"]].tolist() == [names[0]]
    assert feed.calendar["event_ns"].tolist() == source.event_calendar()["event_ns"].tolist()
    for found, batch in zip(batches, source.batches(), strict=True):
        wanted = events_of(batch.streams)
        assert found.keys() == wanted.keys()
        for name, columns in STREAM_COLUMNS.items():
            for at, column in enumerate(columns):
                mine, theirs = found[name][:, at], wanted[name][:, at]
                if column == "symbol":
                    mine, theirs = told[mine], names[theirs]
                assert mine.tolist() == theirs.tolist()


def test_no_label_is_ever_opened(made):
    store, labels = Blind(made.tape), Blind(made.labels)
    feed = TapeFeed(TapePlace(store, "", labels))
    assert len(list(feed)) > 1
    assert store.opened == {*READ, MANIFEST}
    assert labels.opened == set()


def test_a_tape_without_its_labels_is_read_as_well(copied):
    shutil.rmtree(copied.folder / "labels")
    assert sum(len(rows) for batch in TapeFeed(copied.place) for rows in batch.values()) == (
        TapeFeed(copied.place).manifest.replay_plan.event_count
    )


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("at", [0, -1, 40])
def test_a_flipped_byte_is_refused_with_its_file(copied, name, at):
    path = copied.tape / name
    flip(path, path.stat().st_size - 1 if at < 0 else at)
    with pytest.raises(IntegrityError) as caught:
        TapeFeed(copied.place)
    assert (caught.value.code, caught.value.loc) == ("TAPE_FILE_DIFFERS", name)
    assert caught.value.hints


def test_a_flipped_byte_of_the_manifest_is_refused(copied):
    flip(copied.tape / MANIFEST)
    with pytest.raises(IntegrityError) as caught:
        TapeFeed(copied.place)
    assert caught.value.code == "TAPE_MANIFEST_INVALID"
    assert caught.value.loc.startswith(MANIFEST)


@pytest.mark.parametrize("name", READ)
def test_a_file_that_is_gone_is_named(copied, name):
    (copied.tape / name).unlink()
    with pytest.raises(NotFoundError) as caught:
        TapeFeed(copied.place)
    assert name in str(caught.value)


def test_where_a_tape_was_made_is_none_of_the_feeds_business(copied):
    (copied.tape / PROVENANCE).unlink()
    assert TapeFeed(copied.place).manifest.tape_id == copied.tape.name


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("option_prints", "exchange", "MOON"),
        ("option_prints", "condition", "odd"),
        ("equity_prints", "condition", "odd"),
        ("option_nbbo", "contract", "SPY   260108C00000000"),
    ],
)
def test_a_text_that_the_tape_does_not_list_is_refused(made, tmp_path, name, column, value):
    forged = Copy(made.folder, made.tape.name, tmp_path / "forged")
    forged.change(name, 1, lambda table: with_value(table, column, 3, value))
    forged.forge()
    with pytest.raises(IntegrityError) as caught:
        list(TapeFeed(local_place(forged.tape)))
    assert caught.value.code == "TAPE_VALUE_UNKNOWN"
    assert caught.value.loc == f"{name}.parquet, column {column}"
    assert value in caught.value.message


def test_a_tape_without_events_has_stretches_without_events(tmp_path):
    spec = plain_spec()
    written(tmp_path / "empty", source=lambda: PlainTape(spec, SEED, density=0))
    batches = list(TapeFeed(local_place(tmp_path / "empty")))
    assert all(
        rows.shape == (0, len(STREAM_COLUMNS[name]))
        for one in batches
        for name, rows in one.items()
    )
    assert len(batches) > 1


def test_a_folder_without_a_tape_is_bad_input(tmp_path):
    with pytest.raises(ContractError, match="TAPE_MISSING"):
        TapeFeed(local_place(tmp_path))
