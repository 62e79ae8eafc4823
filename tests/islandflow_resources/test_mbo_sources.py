"""Recorded files in the store: read to their end first, kept as they are, trusted verified."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from engine.tapes.mbo.api import MboTape
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.mbo_sources import register_source, registered_source, source_key
from islandflow_resources.mbo_writers import write_events
from islandflow_resources.stored_files import fetched
from tests.islandflow_resources.books import RUN, embedded, flip, short_tape


@pytest.fixture
def place(tmp_path):
    return embedded(tmp_path)


@pytest.fixture
def recorded(tmp_path):
    """A DBN file as an exchange's session comes."""
    path = tmp_path / "session.dbn.zst"
    write_events(path, MboTape(short_tape(), 1).batches(), symbol="MNQH6")
    return path


def test_a_file_is_kept_by_its_digest_on_every_store_and_database(
    object_store, database, recorded, tmp_path
):
    done = register_source(object_store, database, recorded, "MNQH6", RUN)
    again = register_source(object_store, database, recorded, "MNQH6", RUN)
    assert (done.new, again.new) == (True, False)
    digest = file_digest(recorded)
    assert done.source.key == f"mnqh6-{digest[7:19]}"
    found = registered_source(object_store, database, done.source.key)
    assert found == done.source
    copy = fetched(object_store, found.events, tmp_path / "copy")
    assert copy.read_bytes() == recorded.read_bytes()
    account = found.manifest["ingestion"]
    assert account["records"] == account["rows"] == found.manifest["rows"]
    assert account["is_complete"]
    assert found.first_ns == short_tape().start_ns
    assert str(tmp_path) not in str(found.manifest)


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.01])
def test_a_file_that_ends_early_publishes_nothing(place, recorded, keep):
    store, database = place
    data = recorded.read_bytes()
    recorded.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ContractError):
        register_source(store, database, recorded, "MNQH6", RUN)
    assert store.keys("") == []
    assert database.artefacts() == []


def test_a_symbol_that_the_file_lacks_publishes_nothing(place, recorded):
    store, database = place
    with pytest.raises(ContractError) as caught:
        register_source(store, database, recorded, "ESH6", RUN)
    assert caught.value.code == "MBO_SYMBOL_UNKNOWN"
    assert store.keys("") == []


def test_a_file_without_events_publishes_nothing(place, tmp_path):
    store, database = place
    path = tmp_path / "empty.parquet"
    write_events(path, [], symbol="MNQH6")
    with pytest.raises(ContractError) as caught:
        register_source(store, database, path, None, RUN)
    assert caught.value.code == "MBO_FILE_EMPTY"
    assert store.keys("") == []


def test_a_damaged_object_is_found_when_it_is_fetched(place, recorded, tmp_path):
    store, database = place
    source = register_source(store, database, recorded, None, RUN).source
    flip(store.root / source.events.key)
    with pytest.raises(IntegrityError) as caught:
        fetched(store, source.events, tmp_path)
    assert source.events.key in caught.value.message
    with pytest.raises(IntegrityError, match="OBJECT_DIFFERS"):
        register_source(store, database, recorded, None, RUN)


def test_a_damaged_manifest_is_not_believed(place, recorded):
    store, database = place
    source = register_source(store, database, recorded, None, RUN).source
    [row] = database.artefacts(what="mbo_source")
    flip(store.root / row.manifest_key, 0.7)
    with pytest.raises(IntegrityError) as caught:
        registered_source(store, database, source.key)
    assert caught.value.code == "MANIFEST_DAMAGED"


def test_a_key_that_nobody_registered_is_refused(place):
    with pytest.raises(NotFoundError) as caught:
        registered_source(*place, "mnqh6-000000000000")
    assert caught.value.code == "SOURCE_NOT_REGISTERED"


@pytest.mark.parametrize(
    ("symbol", "slug"),
    [("MNQH6", "mnqh6"), ("ES.FUT", "es-fut"), ("", "unnamed"), ("é", "unnamed")],
)
def test_a_key_begins_with_the_slug_of_the_symbol(symbol, slug):
    assert source_key(symbol, f"blake3:{'ab' * 32}") == f"{slug}-{'ab' * 6}"
