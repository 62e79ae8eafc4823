"""Files that appear whole or not at all: names that are taken, folders, errors on the way."""

import os

import pytest

from contracts.errors import ContractError
from islandflow_resources.new_files import new_file, refuse_taken


def write(path, text=b"new"):
    with new_file(path) as temporary:
        temporary.write_bytes(text)


def code_of(action, path):
    with pytest.raises(ContractError) as refused:
        action(path)
    assert refused.value.loc == str(path)
    return refused.value.code


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "a.bin"
    with new_file(path) as temporary:
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("action", [refuse_taken, write])
def test_a_name_that_is_taken_is_refused(tmp_path, action):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert code_of(action, path) == code_of(action, tmp_path / "link") == "FILE_EXISTS"
    assert code_of(action, tmp_path) == "FILE_EXISTS"
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("action", [refuse_taken, write])
def test_a_folder_that_is_none_is_refused(tmp_path, action):
    (tmp_path / "file").write_bytes(b"")
    for name in ("nosuch/a.bin", "file/a.bin"):
        assert code_of(action, tmp_path / name) == "FILE_NOT_WRITABLE"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def fail(error):
        with new_file(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(KeyError):
        fail(KeyError("x"))
    with pytest.raises(ContractError, match="No space left"):
        fail(OSError(28, "No space left on device"))
    assert os.listdir(tmp_path) == []


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "a.bin"

    def lose(path):
        with new_file(path) as temporary:
            temporary.write_bytes(b"late")
            path.write_bytes(b"early")

    assert code_of(lose, path) == "FILE_EXISTS"
    assert path.read_bytes() == b"early"
    assert os.listdir(tmp_path) == ["a.bin"]
