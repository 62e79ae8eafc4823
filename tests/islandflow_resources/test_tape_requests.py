"""Requests keep profiles as they were written; specs are what they mean at a revision."""

import json

import pytest

from contracts.control import SECOND_NS, patched
from contracts.digest import document_digest
from contracts.errors import ContractError, NotFoundError
from contracts.tape import spec_from
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_requests import (
    TapeRequest,
    is_registered,
    register_request,
    register_tape,
    registered_requests,
    registered_tape,
    resolved,
)
from tests.islandflow_resources.small_markets import DEPLOYED, SECONDS, log_of, profile, start_ns


@pytest.fixture
def places(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    yield FolderStore(tmp_path / "objects"), database
    database.dispose()


def save(database, effective_ns, **changes):
    log = ControlLogStore(database)
    last = log.current()
    return log.save(
        patched(last.control, changes),
        expected_revision=last.revision,
        effective_ns=effective_ns,
        updated_by="a test",
    ).revision


def following(**changes):
    return TapeRequest(profile(control=DEPLOYED), **changes)


def test_a_request_comes_back_as_it_was_entered_and_is_entered_once(places):
    store, database = places
    requests = [TapeRequest(profile(), (3, 1)), following(), TapeRequest(profile(), (2**63 - 1,))]
    entries = [register_request(store, database, one) for one in requests]
    assert [one.new for one in entries] == [True] * 3
    assert not register_request(store, database, requests[0]).new
    found = registered_requests(database)
    assert sorted(one.key for one in found) == sorted(one.key for one in requests)
    assert all(one in found for one in requests)
    [key] = [key for key in store.keys("") if entries[0].key[-12:] in key]
    assert json.loads(store.get(key))["seeds"] == ["3", "1"]


def test_only_a_profile_that_names_the_deployment_follows_it():
    held = TapeRequest(profile())
    assert (held.follows_deployment, following().follows_deployment) == (False, True)
    changed = log_of((start_ns(profile()), {"preset_id": "event_day"}))
    assert resolved(held, changed).key == resolved(held, None).key
    assert resolved(following(), changed).key != resolved(following(), log_of()).key
    with pytest.raises(ContractError) as caught:
        resolved(following(), None)
    assert caught.value.code == "CONTROL_LOG_MISSING"


def test_without_seeds_the_shared_seed_in_force_at_the_start_is_meant():
    begin = start_ns(profile())
    states = ((begin, {"shared_seed": 77}), (begin + 60 * SECOND_NS, {"shared_seed": 78}))
    assert following().seeds_of(resolved(following(), log_of()).spec) == (11,)
    assert following().seeds_of(resolved(following(), log_of(*states)).spec) == (77,)
    given = following(seeds=(5, 4))
    assert given.seeds_of(resolved(given, log_of(*states)).spec) == (5, 4)


def test_a_spec_is_entered_under_its_partition_key_whole(places):
    store, database = places
    tape = resolved(TapeRequest(profile()), None)
    entry = register_tape(store, database, tape)
    assert (entry.key, entry.new) == (tape.spec.partition_key, True)
    assert not register_tape(store, database, tape).new
    assert is_registered(database, entry.key)
    assert registered_tape(store, database, entry.key) == tape
    [key] = store.keys("market_tapes/")
    assert spec_from(json.loads(store.get(key))) == tape.spec
    assert tape.profile.profile_hash == document_digest(profile().document())


def test_two_profiles_that_mean_the_same_are_one_tape_of_the_first(places):
    store, database = places
    held, named = resolved(TapeRequest(profile()), None), resolved(following(), log_of())
    assert held.key == named.key
    assert held.profile != named.profile
    register_tape(store, database, named)
    assert not register_tape(store, database, held).new
    assert registered_tape(store, database, held.key) == named


def test_a_key_that_a_request_meant_at_any_revision_is_entered_when_it_is_asked_for(places):
    store, database = places
    begin = start_ns(profile())
    request = following(seeds=(1,))
    register_request(store, database, request)
    save(database, begin + 60 * SECOND_NS, preset_id="event_day")
    then = resolved(request, ControlLogStore(database).log())
    save(database, begin + 120 * SECOND_NS, preset_id="quiet_range")
    now = resolved(request, ControlLogStore(database).log())
    assert then.key != now.key
    for wanted in (then, now):
        assert not is_registered(database, wanted.key)
        assert registered_tape(store, database, wanted.key) == wanted
        assert is_registered(database, wanted.key)


@pytest.mark.parametrize("key", ["small-000000000000", "stranger-000000000000"])
def test_a_key_that_nothing_means_is_refused_with_what_to_do(places, key):
    store, database = places
    register_request(store, database, following())
    with pytest.raises(NotFoundError) as caught:
        registered_tape(store, database, key)
    assert caught.value.code == "TAPE_NOT_REGISTERED"
    assert "islandflow tape register" in caught.value.hints[0]


def test_a_change_after_the_end_changes_no_spec():
    after = start_ns(profile()) + SECONDS * SECOND_NS
    assert resolved(following(), log_of((after, {"preset_id": "event_day"}))) == resolved(
        following(), log_of()
    )
    last = after - SECOND_NS
    assert resolved(following(), log_of((last, {"preset_id": "event_day"}))) != resolved(
        following(), log_of()
    )
