"""Grid datasets in the store: published whole or not at all, found by identity, read verified."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.canonical import canonical_json
from contracts.columns import GRID_BINS, GRID_ROWS
from contracts.errors import ContractError, IntegrityError
from islandflow_resources.book_checkpoints import find_checkpoint, make_checkpoint
from islandflow_resources.catalog import open_catalogue
from islandflow_resources.grid_datasets import (
    GridDataset,
    iter_rows,
    open_grid,
    publish,
    read_bins,
    refuse_other_layout,
)
from tests.islandflow_resources.books import (
    RUN,
    RUNTIME,
    SECOND_NS,
    embedded,
    flip,
    order,
    short_tape,
    stored_grid,
    stored_tape,
)

FILES = ("bins.parquet", "grid.parquet", "checksums.json", "manifest.json")


@pytest.fixture
def place(tmp_path):
    """A store, a database and a stored tape."""
    store, database = embedded(tmp_path)
    return store, database, stored_tape(store, database, tmp_path / "tape").events


def test_a_dataset_is_built_once_and_read_verified_on_every_store_and_database(
    object_store, database, tmp_path
):
    source = stored_tape(object_store, database, tmp_path / "tape").events
    made = stored_grid(object_store, database, tmp_path / "a", source)
    assert made.problem is None
    again = stored_grid(object_store, database, tmp_path / "b", source)
    assert (made.used_cache, again.used_cache) == (False, True)
    keys = object_store.keys(f"datasets/{made.dataset_id}/")
    assert sorted(key.rpartition("/")[2] for key in keys) == sorted(FILES)
    opened = open_grid(object_store, database, made.dataset_id, tmp_path / "c")
    assert opened.manifest == made.dataset.manifest
    bins = read_bins(opened)
    rows = pa.concat_tables(iter_rows(opened))
    assert bins.column_names == list(GRID_BINS.names)
    assert rows.column_names == list(GRID_ROWS.names)
    assert (bins.num_rows, rows.num_rows) == (opened.bins, 9 * opened.bins)
    assert opened.bins >= 39
    [row] = database.artefacts(what="grid_dataset")
    assert (row.recipe_digest, row.scenario_key) == (made.recipe, made.dataset_id)
    assert row.rows == opened.bins


def test_what_determines_a_dataset_names_it(place, tmp_path):
    store, database, source = place
    wanted = [
        order(),
        order(compat="v1"),
        order(tau_velocity=3.0),
        order(emit_from_ns=short_tape().start_ns + SECOND_NS),
        replace(order(), emit_until_ns=short_tape().start_ns + 2 * SECOND_NS),
    ]
    made = [
        stored_grid(store, database, tmp_path / str(n), source, one) for n, one in enumerate(wanted)
    ]
    assert len({one.dataset_id for one in made}) == len({one.recipe for one in made}) == 5
    for first, one in zip(made, wanted, strict=True):
        again = stored_grid(store, database, tmp_path / "again", source, one)
        assert (again.dataset_id, again.used_cache) == (first.dataset_id, True)
        [row] = database.artefacts(what="grid_dataset", scenario_key=first.dataset_id)
        assert ("emit_until_ns" in row.recipe) == (one.emit_until_ns is not None)


@pytest.mark.parametrize("place_in_file", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_of_any_object_is_found_and_named_and_left(
    place, tmp_path, name, place_in_file
):
    store, database, source = place
    made = stored_grid(store, database, tmp_path / "a", source)
    path = store.root / "datasets" / made.dataset_id / name
    flip(path, place_in_file)
    before = path.read_bytes()
    with pytest.raises(IntegrityError) as caught:
        open_grid(store, database, made.dataset_id, tmp_path)
    assert f"{made.dataset_id}/{name}" in caught.value.message
    again = stored_grid(store, database, tmp_path / "b", source)
    assert again.dataset is None
    assert again.is_damaged
    assert again.problem.code == "GRID_DAMAGED"
    assert path.read_bytes() == before


def test_a_manifest_that_says_otherwise_in_good_form_is_not_believed(place, tmp_path):
    store, database, source = place
    made = stored_grid(store, database, tmp_path / "a", source)
    path = store.root / "datasets" / made.dataset_id / "manifest.json"
    path.write_bytes(canonical_json({**made.dataset.manifest, "events": 1}) + b"\n")
    with pytest.raises(IntegrityError) as caught:
        open_grid(store, database, made.dataset_id, tmp_path)
    assert caught.value.code == "GRID_DAMAGED"


def test_a_dataset_without_a_manifest_does_not_exist_and_is_built_as_it_was(place, tmp_path):
    store, database, source = place
    made = stored_grid(store, database, tmp_path / "a", source)
    folder = store.root / "datasets" / made.dataset_id
    before = {name: (folder / name).read_bytes() for name in FILES}
    (folder / "manifest.json").unlink()
    again = stored_grid(store, database, tmp_path / "b", source)
    assert not again.used_cache
    assert {name: (folder / name).read_bytes() for name in FILES} == before


def test_an_object_in_the_way_with_other_bytes_is_not_adopted(place, tmp_path):
    store, database, source = place
    made = stored_grid(store, database, tmp_path / "a", source)
    other = embedded(tmp_path / "other")[0]
    other.put_if_absent(f"datasets/{made.dataset_id}/grid.parquet", b"another")
    with pytest.raises(IntegrityError) as caught:
        publish(other, made.dataset)
    assert caught.value.code == "OBJECT_DIFFERS"
    assert not other.exists(f"datasets/{made.dataset_id}/manifest.json")


def test_events_that_are_damaged_or_of_another_symbol_publish_nothing(place, tmp_path):
    store, database, source = place
    refused = stored_grid(store, database, tmp_path / "a", source, order(symbol="ESH6"))
    assert refused.problem.code == "MBO_SYMBOL_UNKNOWN"
    flip(store.root / source.key)
    damaged = stored_grid(store, database, tmp_path / "b", source)
    assert damaged.is_damaged
    assert damaged.problem.code == "FILE_DIGEST_MISMATCH"
    assert store.keys("datasets/") == []


def test_a_build_that_goes_on_from_a_stored_checkpoint_gives_the_same_objects(place, tmp_path):
    store, database, source = place
    wanted = order(emit_from_ns=short_tape().start_ns + SECOND_NS)
    made = stored_grid(store, database, tmp_path / "a", source, wanted)
    warm = make_checkpoint(store, database, RUNTIME, wanted, source, tmp_path / "a", RUN)
    assert 0 < warm.head.rows_taken < made.dataset.events
    other, fresh = embedded(tmp_path / "other")
    other.put_file_if_absent(source.key, store.root / source.key)
    goes_on = replace(wanted, from_checkpoint=warm.path)
    again = stored_grid(other, fresh, tmp_path / "b", source, goes_on)
    assert again.dataset_id == made.dataset_id
    for key in store.keys(f"datasets/{made.dataset_id}/"):
        assert other.get(key) == store.get(key)


def test_a_checkpoint_is_found_again_and_a_damaged_one_makes_way(place, tmp_path):
    store, database, source = place
    wanted = order(emit_from_ns=short_tape().start_ns + SECOND_NS)
    here = (store, database, RUNTIME, wanted, source)
    first = make_checkpoint(*here, tmp_path / "a", RUN)
    assert make_checkpoint(*here, tmp_path, RUN).used_cache
    flip(store.root / first.file.key)
    assert find_checkpoint(store, database, wanted, source, tmp_path) is None
    made = make_checkpoint(*here, tmp_path / "b", RUN)
    assert not made.used_cache
    assert made.file == first.file
    assert store.keys("quarantine/") != []


def test_a_table_of_another_layout_is_refused(place, tmp_path):
    store, database, source = place
    dataset = stored_grid(store, database, tmp_path / "a", source).dataset
    refuse_other_layout(dataset)
    bins = read_bins(dataset)
    for name, table, error in (
        ("renamed", bins.rename_columns(["x", *bins.column_names[1:]]), ContractError),
        ("short", bins.slice(1), IntegrityError),
    ):
        folder = tmp_path / name
        folder.mkdir()
        pq.write_table(table, folder / "bins.parquet")
        (folder / "grid.parquet").write_bytes((dataset.folder / "grid.parquet").read_bytes())
        with pytest.raises(error):
            refuse_other_layout(GridDataset(dataset.dataset_id, dataset.manifest, folder))


def test_sql_sees_bins_and_rows_of_all_datasets(place, tmp_path):
    store, database, source = place
    made = stored_grid(store, database, tmp_path / "a", source)
    with open_catalogue(store) as catalogue:
        bins = catalogue.sql("SELECT dataset_id, count(*) FROM grid_bins GROUP BY ALL").fetchall()
        rows = catalogue.sql("SELECT dataset_id, count(*) FROM grid_rows GROUP BY ALL").fetchall()
    assert bins == [(made.dataset_id, made.dataset.bins)]
    assert rows == [(made.dataset_id, 9 * made.dataset.bins)]
