"""Files on the command line: read whole, never more than a document may be."""

import os

import pytest

from contracts.canonical import MAX_DOCUMENT_BYTES
from contracts.errors import ContractError
from islandflow_jobs.documents import read_file


def test_a_file_is_read_as_it_is(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\r\n{}")
    assert read_file(tmp_path / "a.json") == b"\xff\r\n{}"


def test_of_a_huge_file_only_enough_to_refuse_it_is_read(tmp_path):
    path = tmp_path / "huge.json"
    path.touch()
    os.truncate(path, 10**12)
    assert len(read_file(path)) == MAX_DOCUMENT_BYTES + 1


def test_what_cannot_be_read_is_refused_with_its_name(tmp_path):
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ContractError) as caught:
            read_file(path)
        assert (caught.value.code, caught.value.loc) == ("FILE_NOT_READABLE", str(path))
