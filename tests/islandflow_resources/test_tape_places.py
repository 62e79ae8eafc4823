"""Where tapes lie: a folder of one, a folder with one, a store; labels beside or apart."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape_manifest import LABELS, MANIFEST
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_places import local_place, read_manifest, stored_place

FIRST, SECOND = "0" * 16, "1" * 16


@pytest.fixture
def root(tmp_path):
    """A folder with a tape and its labels, none of them real."""
    for name in (f"tapes/{FIRST}/{MANIFEST}", f"labels/{FIRST}/{LABELS}"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(name.encode())
    return tmp_path


def test_a_tape_is_found_in_its_folder_and_in_one_that_holds_no_other(root):
    for folder in (root, root / "tapes" / FIRST):
        place = local_place(folder)
        assert place.get(MANIFEST) == f"tapes/{FIRST}/{MANIFEST}".encode()
        assert place.get(LABELS) == f"labels/{FIRST}/{LABELS}".encode()
        assert (place.names(), place.label_names()) == ([MANIFEST], [LABELS])


def test_of_several_tapes_one_has_to_be_named(root):
    other = root / "tapes" / SECOND
    other.mkdir()
    (other / MANIFEST).write_bytes(b"{}")
    with pytest.raises(ContractError, match="TAPE_AMBIGUOUS") as caught:
        local_place(root)
    assert str(other) in caught.value.hints[0]
    assert local_place(other).labels_store is None


@pytest.mark.parametrize("name", ["nothing", "tapes", f"labels/{FIRST}"])
def test_a_folder_without_a_tape_is_refused(root, name):
    with pytest.raises(ContractError, match="TAPE_MISSING"):
        local_place(root / name)


def test_labels_that_are_out_of_reach_are_not_found(root):
    place = stored_place(FolderStore(root), FIRST)
    assert place.get(MANIFEST)
    assert place.label_names() == []
    with pytest.raises(NotFoundError, match="labels of the tape are not here"):
        place.get(LABELS)
    assert stored_place(FolderStore(root), FIRST, FolderStore(root)).get(LABELS)


def test_labels_may_be_named_by_themselves(root, tmp_path):
    moved = tmp_path / "secret"
    (root / "labels" / FIRST).rename(moved)
    assert local_place(root / "tapes" / FIRST, moved).get(LABELS)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"a": 1, "a": 2}', b"[" * 99])
def test_a_manifest_that_is_none_is_a_matter_of_integrity(root, data):
    (root / "tapes" / FIRST / MANIFEST).write_bytes(data)
    with pytest.raises(IntegrityError) as caught:
        read_manifest(local_place(root))
    assert {problem.code for problem in caught.value.problems} == {"TAPE_MANIFEST_INVALID"}
