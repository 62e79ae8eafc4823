"""A registry marks the bucket that it writes to, once, and sees the marks of others."""

import copy

from islandflow_resources.database import Database
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.store_marks import identity_of, leave_mark, mark_key, other_marks, told_by


def registry(folder, name):
    return Database(f"sqlite:///{folder}/{name}.db")


def mark_of(database):
    identity = identity_of(database)
    assert identity is not None
    return mark_key(identity)


def test_registries_know_their_own_mark_from_those_of_others(tmp_path):
    store = FolderStore(tmp_path / "objects")
    first, second, third = (registry(tmp_path, name) for name in "abc")
    assert leave_mark(store, first)
    assert not leave_mark(store, first)
    assert leave_mark(store, second)
    keys = store.keys("")
    assert len(keys) == 2
    assert other_marks(keys, first) == [mark_of(second)]
    assert other_marks([*keys, "registries.txt"], third) == keys
    assert identity_of(third) is None
    assert told_by(store, mark_of(first)).endswith("/a.db")
    store.put_if_absent("registries/odd.json", b"[]")
    assert told_by(store, "registries/odd.json") == "registries/odd.json"
    for one in (first, second, third):
        one.dispose()


def test_a_bucket_is_marked_before_the_first_object_and_only_then(services_environment):
    own = {name: text for name, text in services_environment.items() if "ISLANDFLOW_" in name}
    resources = ResourceSet.from_environment(own)
    store = resources.store
    assert store.keys("") == []
    store.quarantine(_put_aside(store))
    assert identity_of(resources.database) is None
    assert copy.copy(store).first_write is None
    store.put_if_absent("trials/a.parquet", b"x")
    assert store.keys("registries/") == [mark_of(resources.database)]
    store.put_if_absent("trials/b.parquet", b"x")
    assert len(resources.database.audit("registry")) == 1
    resources.database.dispose()


def _put_aside(store):
    key = "quarantine/aa/x"
    store.put_if_absent(key, b"x")
    return key
