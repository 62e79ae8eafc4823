"""Tapes of the market in a store: made once, found again, never trusted unverified."""

import pytest

from contracts.control import SyntheticControlState
from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape import tape_recipe
from engine.tapes.market.api import VERSION
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.market_tapes import (
    MarketRef,
    find_market_tape,
    make_market_tape,
    standing_tape,
)
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_requests import TapeRequest, resolved
from tests.islandflow_resources.small_markets import (
    RUN,
    SEED,
    empty_market,
    flip,
    made_market,
    profile,
)


@pytest.fixture
def market(tmp_path):
    with made_market(tmp_path / "made") as market:
        yield market


def everything(market):
    return {key: market.store.get(key) for key in market.store.keys("")}


def test_the_address_of_a_tape_follows_from_spec_seed_and_engine_alone():
    spec = resolved(TapeRequest(profile()), None)
    ref = MarketRef(spec, SEED)
    assert ref.recipe == tape_recipe(spec.spec, SEED, VERSION)
    assert ref.manifest_key == f"tapes/{ref.inputs.tape_id}/manifest.json"
    assert ref.inputs.run_id == f"run-{ref.inputs.tape_id}"
    assert str(ref) == f"{spec.spec.partition_key}|{SEED}"
    assert MarketRef(spec, SEED + 1).recipe != ref.recipe


def test_a_tape_that_was_made_is_proved_and_found_again(market):
    before = everything(market)
    verify_tape(market.tape.place)
    made = market.make()
    assert (made.used_cache, made.problem) == (True, None)
    assert made.tape == market.tape
    assert everything(market) == before


def test_a_lost_record_is_written_again_and_the_files_stay_as_they_are(market, tmp_path):
    before = everything(market)
    with empty_market(tmp_path / "other") as other:
        again = type(market)(market.store, other.database, other.folder, market.ref)
        assert find_market_tape(market.store, market.store, other.database, market.ref) is None
        made = again.make()
    assert (made.used_cache, made.problem) == (False, None)
    assert everything(market) == before


@pytest.mark.parametrize("name", ["option_nbbo.parquet", "print_labels.parquet", "labels.json"])
def test_a_damaged_file_is_reported_and_left(market, name):
    flip(market.path(name))
    before = everything(market)
    made = market.make()
    assert made.tape is None
    assert made.problem.code == "TAPE_FILE_DIFFERS"
    assert made.problem.loc == name
    assert everything(market) == before


def test_a_manifest_other_than_the_recorded_one_is_not_trusted(market, tmp_path):
    other = resolved(TapeRequest(profile(symbols=2)), None)
    with empty_market(tmp_path / "other") as elsewhere:
        foreign = type(market)(
            elsewhere.store, elsewhere.database, elsewhere.folder, MarketRef(other, SEED)
        )
        assert foreign.make().problem is None
        theirs = foreign.path("manifest.json").read_bytes()
    market.path("manifest.json").write_bytes(theirs)
    with pytest.raises(ContractError) as caught:
        find_market_tape(market.store, market.store, market.database, market.ref)
    assert caught.value.code == "TAPE_EXISTS"
    assert market.make().problem.code == "TAPE_EXISTS"


def test_a_manifest_that_breaks_its_seal_is_not_trusted(market):
    path = market.path("manifest.json")
    path.write_bytes(path.read_bytes().replace(b'"event_count":', b'"event_count": '))
    with pytest.raises(IntegrityError) as caught:
        find_market_tape(market.store, market.store, market.database, market.ref)
    assert caught.value.code == "TAPE_MANIFEST_INVALID"


def test_a_tape_that_does_not_stand_is_not_found(tmp_path):
    with empty_market(tmp_path) as market, pytest.raises(NotFoundError) as caught:
        standing_tape(market.store, market.store, market.database, market.ref)
    assert caught.value.code == "TAPE_NOT_FOUND"
    assert "market_tapes" in caught.value.hints[0]


def test_labels_lie_in_a_store_of_their_own_where_there_is_one(tmp_path):
    labels = FolderStore(tmp_path / "apart")
    with empty_market(tmp_path) as market:
        stores = market.store, labels, market.database
        made = make_market_tape(*stores, market.runtime, market.ref, tmp_path / "work", RUN)
        verify_tape(made.tape.place)
        assert market.store.keys("labels/") == []
        assert all(key.startswith("labels/") for key in labels.keys(""))
        assert find_market_tape(*stores, market.ref) == made.tape


def test_digests_tell_streams_labels_and_states_apart(market):
    tape = market.tape
    digests = {tape.content_digest, tape.labels_digest, tape.states_digest}
    assert len(digests) == 3
    control = SyntheticControlState(preset_id="event_day")
    changed = profile(control={"versions": [{
        "effective_ns": "0", "control": control.model_dump(mode="json")}]})  # fmt: skip
    assert resolved(TapeRequest(changed), None).key != market.ref.tape.key
