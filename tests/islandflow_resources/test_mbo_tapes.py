"""Tapes in the store: made once, the same for the same seed, refused or reported when wrong."""

import pyarrow.parquet as pq
import pytest

from contracts.canonical import canonical_json
from contracts.errors import IntegrityError, NotFoundError
from islandflow_resources.catalog import open_catalogue
from islandflow_resources.mbo_files import file_digest, read_events
from islandflow_resources.mbo_tapes import (
    find_tape,
    make_tape,
    register_spec,
    registered_spec,
    tape_ref,
)
from islandflow_resources.stored_files import fetched
from tests.islandflow_resources.books import (
    RUN,
    RUNTIME,
    embedded,
    flip,
    short_tape,
    stored_tape,
    tape,
)


def test_a_tape_is_made_once_and_found_again_on_every_store_and_database(
    object_store, database, tmp_path
):
    ref = tape_ref(short_tape(), 7)
    made = make_tape(object_store, database, RUNTIME, ref, tmp_path / "a", RUN)
    assert made.problem is None
    assert not made.used_cache
    again = make_tape(object_store, database, RUNTIME, ref, tmp_path / "b", RUN)
    assert again.used_cache
    assert again.tape == made.tape
    path = fetched(object_store, made.tape.events, tmp_path / "c")
    events = sum(batch.rows for batch in read_events(path, symbol="MNQH6"))
    assert events == made.tape.manifest["rows"] > 300
    [row] = database.artefacts(what="mbo_tape")
    assert (row.scenario_key, row.seed, row.rows) == (ref.spec.partition_key, 7, events)
    assert object_store.keys("tapes/") == sorted([ref.events_key, ref.manifest_key])


@pytest.fixture
def place(tmp_path):
    return (*embedded(tmp_path), tmp_path / "workspace")


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(place, tmp_path):
    first = stored_tape(*place)
    elsewhere = stored_tape(*embedded(tmp_path / "other"), tmp_path / "other")
    assert elsewhere.manifest == first.manifest
    other = stored_tape(*place, seed=3)
    assert other.content_digest != first.content_digest


def test_the_manifest_carries_rows_times_and_a_scorecard(place):
    stored = stored_tape(*place)
    spec, manifest = stored.ref.spec, stored.manifest
    path = place[0].root / stored.ref.events_key
    assert manifest["rows"] == pq.read_metadata(path).num_rows
    assert manifest["file_digest"] == file_digest(path)
    assert int(manifest["first_ns"]) == spec.start_ns
    assert spec.start_ns < int(manifest["last_ns"]) < spec.end_ns
    names = {one["name"] for one in stored.scorecard}
    assert {"lifetime_median_s", "tight_share", "depth_flat"} <= names
    assert not next(one for one in stored.scorecard if one["name"] == "lifetime_median_s")["ok"]


@pytest.mark.parametrize("place_in_file", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["events_key", "manifest_key"])
def test_a_flipped_bit_is_found_and_named_and_left(place, name, place_in_file):
    store, database, workspace = place
    stored = stored_tape(*place)
    key = getattr(stored.ref, name)
    flip(store.root / key, place_in_file)
    before = store.get(key)
    made = make_tape(store, database, RUNTIME, stored.ref, workspace, RUN)
    assert made.tape is None
    assert made.is_damaged
    assert key in made.problem.message
    assert store.get(key) == before


def test_a_manifest_of_another_tape_is_not_believed(place):
    store, database, _ = place
    first, other = stored_tape(*place), stored_tape(*place, seed=3)
    (store.root / first.ref.manifest_key).write_bytes(store.get(other.ref.manifest_key))
    with pytest.raises(IntegrityError) as caught:
        find_tape(store, database, first.ref)
    assert caught.value.code == "RECORD_DIFFERS"


def test_a_tape_whose_manifest_is_gone_does_not_exist_and_is_made_as_it_was(place):
    store, database, workspace = place
    stored = stored_tape(*place)
    before = store.get(stored.ref.manifest_key)
    (store.root / stored.ref.manifest_key).unlink()
    assert find_tape(store, database, stored.ref) is None
    made = make_tape(store, database, RUNTIME, stored.ref, workspace, RUN)
    assert not made.used_cache
    assert store.get(stored.ref.manifest_key) == before


def test_a_tape_that_cannot_be_represented_stores_nothing(place):
    store, database, workspace = place
    sinking = {"family": "trend", "params": {"drift": -5000, "sigma": 5}}
    scenario = {**short_tape().scenario.document(), **sinking}
    ref = tape_ref(short_tape(scenario=scenario, start_price_ticks=2000), 1)
    made = make_tape(store, database, RUNTIME, ref, workspace, RUN)
    assert made.problem.code.endswith("UNREPRESENTABLE")
    assert not made.is_damaged
    assert store.keys("") == []
    assert database.artefacts() == []


def test_a_specification_is_registered_once_whatever_the_seed_of_its_scenario(place):
    store, database, _ = place
    spec = tape()
    scenario = {**spec.scenario.document(), "seed": "99"}
    assert register_spec(store, database, spec)
    assert not register_spec(store, database, tape(scenario=scenario))
    read = registered_spec(database, spec.partition_key)
    assert read.recipe == spec.recipe
    [key] = store.keys("tapes/")
    assert store.get(key) == canonical_json(spec.recipe) + b"\n"
    with pytest.raises(NotFoundError) as caught:
        registered_spec(database, "stranger-000000000000")
    assert caught.value.code == "TAPE_NOT_REGISTERED"


def test_sql_sees_the_events_of_all_tapes(place):
    stored = [stored_tape(*place, seed=seed) for seed in (1, 3)]
    with open_catalogue(place[0]) as catalogue:
        rows = catalogue.sql(
            "SELECT tape_id, seed, count(*) FROM mbo_events GROUP BY ALL ORDER BY seed"
        ).fetchall()
    assert rows == [("short", one.ref.seed, one.manifest["rows"]) for one in stored]
