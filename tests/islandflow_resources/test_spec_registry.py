"""Documents registered under a name: entered once, found by key, hash and name."""

import json

import pytest

from contracts.digest import bare, document_digest
from contracts.errors import ContractError, NotFoundError
from islandflow_resources.spec_registry import (
    Kind,
    key_of,
    register_document,
    registered_document,
    registered_keys,
)

THING = Kind("odd_thing", "0.1", "register it: islandflow thing register FILE")


def test_a_document_is_entered_once_on_every_store_and_database(object_store, database):
    document = {"name": "a", "size": 1}
    first = register_document(object_store, database, THING, "a", document)
    again = register_document(object_store, database, THING, "a", document)
    digest = document_digest(document)
    assert (first.key, first.new, again.new) == (f"a-{bare(digest)[:12]}", True, False)
    [key] = object_store.keys("odd_things/")
    assert json.loads(object_store.get(key)) == document
    [row] = database.artefacts(what="odd_thing_spec")
    assert (row.object_key, row.content_digest) == (key, digest)
    for name in ("a", first.key, bare(digest), bare(digest)[:8]):
        assert registered_document(database, THING, name) == document


def test_what_nobody_registered_is_told_how_to_register(object_store, database):
    register_document(object_store, database, THING, "a", {"size": 1})
    for name in ("b", "a-", "0" * 7, key_of("a", f"sha256:{'0' * 64}")):
        with pytest.raises(NotFoundError, match="no odd thing") as caught:
            registered_document(database, THING, name)
        assert (caught.value.code, caught.value.hints) == (
            "ODD_THING_NOT_REGISTERED",
            (THING.hint,),
        )


def test_a_name_of_several_versions_is_refused_with_their_keys(object_store, database):
    keys = [
        register_document(object_store, database, THING, "a", {"size": size}).key for size in (1, 2)
    ]
    with pytest.raises(ContractError) as caught:
        registered_document(database, THING, "a")
    assert caught.value.code == "ODD_THING_AMBIGUOUS"
    assert all(key in caught.value.hints[0] for key in keys)
    assert registered_keys(database, THING) == sorted(keys)
    assert registered_document(database, THING, keys[1]) == {"size": 2}


def test_kinds_do_not_see_each_other(object_store, database):
    register_document(object_store, database, THING, "a", {"size": 1})
    other = Kind("even_thing", "0.1", "register it")
    assert registered_keys(database, other) == []
    register_document(object_store, database, other, "a", {"size": 1})
    assert len(object_store.keys("even_things/")) == 1
