"""What only a folder does; what both stores do is in test_object_store.py."""

import os
import resource
import stat

import pytest

from contracts.errors import ConfigurationError, ContractError, StoreUnavailableError
from islandflow_resources.folder_store import FolderStore


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "a folder" / "objects")


def test_reading_makes_no_folder(store):
    assert store.keys() == []
    assert not store.exists("a")
    assert not store.root.exists()


def test_a_stale_staged_file_is_neither_listed_nor_in_the_way(store):
    store.put_if_absent("a/b", b"1")
    (store.root / ".staging" / "1-dead").write_bytes(b"half of som")
    assert store.keys() == ["a/b"]
    assert store.keys(".staging/") == []
    assert store.put_if_absent("a/c", b"2") is True


def test_nothing_stays_staged_after_wins_and_losses(store):
    store.put_if_absent("a", b"1")
    store.put_if_absent("a", b"2")
    assert os.listdir(store.root / ".staging") == []


def test_a_key_cannot_be_object_and_folder_at_once(store):
    store.put_if_absent("a", b"1")
    store.put_if_absent("b/c", b"1")
    for key in ("a/b", "b"):
        with pytest.raises(ContractError) as caught:
            store.put_if_absent(key, b"2")
        assert caught.value.code == "KEY_IS_FOLDER"
    assert store.keys() == ["a", "b/c"]


def test_a_write_that_the_disk_cuts_short_leaves_nothing(store):
    store.put_if_absent("a", b"1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StoreUnavailableError) as caught:
            store.put_if_absent("b", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "b: File too large" in caught.value.message
    assert store.keys() == ["a"]
    assert os.listdir(store.root / ".staging") == []


def test_a_place_that_cannot_be_a_folder_is_a_matter_of_configuration(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = FolderStore(tmp_path / "file" / "objects")
    for action in (store.check, lambda: store.put_if_absent("a", b"1")):
        with pytest.raises(ConfigurationError) as caught:
            action()
        assert caught.value.code == "STORE_NOT_WRITABLE"
        assert "ISLANDFLOW_HOME" in caught.value.hints[0]


def test_addresses_are_file_uris_and_plain_paths_are_understood(store):
    store.put_if_absent("seed=7/v1/a.json", b"1")
    uri = store.uri("seed=7/v1/a.json")
    assert uri.startswith("file:///")
    assert uri.endswith("/a%20folder/objects/seed=7/v1/a.json")
    assert store.parse_uri(str(store.root / "seed=7/v1/a.json")) == "seed=7/v1/a.json"


def test_files_of_any_name_can_be_dropped_read_and_quarantined(store):
    name = "inbox/scenarios/My first %20 scenario (ü).json"
    path = store.root / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")
    assert store.keys("inbox/") == [name]
    assert store.parse_uri(store.uri(name)) == name
    assert store.get(store.quarantine(name)) == b"{}"
    assert store.keys("inbox/") == []


def test_links_out_of_the_store_are_not_listed(store, tmp_path):
    (tmp_path / "secret").write_text("x")
    store.put_if_absent("a", b"1")
    (store.root / "link").symlink_to(tmp_path / "secret")
    assert store.keys() == ["a"]


def test_an_object_is_one_ordinary_file(store):
    store.put_if_absent("a", b"1")
    status = (store.root / "a").stat()
    assert stat.S_ISREG(status.st_mode)
    assert status.st_nlink == 1
