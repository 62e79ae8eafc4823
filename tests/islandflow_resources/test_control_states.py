"""The control log as a document: what tapes may depend on, and nothing else."""

import json

import pytest

from contracts.control import SECOND_NS, patched
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.control_states import control_document
from islandflow_resources.database import Database
from islandflow_resources.folder_store import FolderStore


@pytest.fixture
def places(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    yield FolderStore(tmp_path / "objects"), database
    database.dispose()


def save(database, by, **changes):
    log = ControlLogStore(database)
    last = log.current()
    log.save(
        patched(last.control, changes),
        expected_revision=last.revision,
        effective_ns=last.effective_ns + SECOND_NS,
        updated_by=by,
    )


def made(places):
    store, database = places
    return control_document(store, database, ControlLogStore(database).history(), "run")


def test_the_defaults_are_a_document_too(places):
    first = made(places)
    assert json.loads(places[0].get(first.key))["versions"][0]["effective_ns"] == "0"
    assert (first.used_cache, made(places).used_cache) == (False, True)
    assert made(places).content_digest == first.content_digest


def test_what_is_said_counts_and_not_who_said_it(places, tmp_path):
    store, database = places
    before = made(places).content_digest
    save(database, "somebody", preset_id="event_day")
    changed = made(places)
    assert changed.content_digest != before
    with_other = FolderStore(tmp_path / "other"), Database(f"sqlite:///{tmp_path / 'other.db'}")
    save(with_other[1], "somebody else", preset_id="event_day")
    assert made(with_other).content_digest == changed.content_digest
    with_other[1].dispose()
    assert b"somebody" not in store.get(changed.key)
