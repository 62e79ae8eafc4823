"""Folders of grid datasets: how files come to stand there, and that damage is named.

What the files hold is in test_grid_build.py, real kills in tests/faults/test_grid_kills.py.
"""

import json
import os

import pytest

from contracts.canonical import canonical_json
from contracts.digest import document_digest
from contracts.errors import ContractError, IntegrityError
from islandflow_resources import grid_folder
from islandflow_resources.grid_folder import read_manifest, staged, write_manifest

FILES = {"bins.parquet": b"bins", "grid.parquet": b"grid" * 1_000_000}


def fill(folder, files=FILES):
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return write_manifest(folder, {"dataset_id": "x-1", "bins": 3})


def publish(folder):
    with staged(folder) as staging:
        return fill(staging)


def break_off(folder, error):
    with staged(folder) as staging:
        fill(staging)
        raise error


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_refused(code, run, *arguments):
    with pytest.raises(ContractError) as refused:
        run(*arguments)
    assert refused.value.code == code
    assert refused.value.hints
    return refused.value


def damage(folder):
    """Names of the files that are said to be damaged."""
    with pytest.raises(IntegrityError) as found:
        read_manifest(folder)
    assert {problem.code for problem in found.value.problems} == {"GRID_DAMAGED"}
    return [problem.loc.removeprefix(f"{folder}/") for problem in found.value.problems]


@pytest.fixture
def dataset(tmp_path):
    publish(tmp_path / "a" / "grid")
    return tmp_path / "a" / "grid"


# -- coming to stand there ----------------------------------------------------------------------


def test_files_appear_together_and_are_what_the_manifest_says(tmp_path):
    manifest = publish(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == sorted([*FILES, "checksums.json", "manifest.json"])
    assert read_manifest(tmp_path / "a" / "b") == manifest
    assert manifest["files"]["bins.parquet"]["bytes"] == 4
    assert (tmp_path / "a" / "b" / "grid.parquet").read_bytes() == FILES["grid.parquet"]


def test_nothing_appears_before_the_end_and_the_manifest_appears_last(tmp_path, monkeypatch):
    seen = []

    def link(source, target):
        seen.append(target.name)
        os_link(source, target)

    os_link = os.link
    monkeypatch.setattr(grid_folder.os, "link", link)
    with staged(tmp_path / "g") as staging:
        fill(staging)
        assert names(tmp_path / "g") == [staging.name]
    assert seen == ["bins.parquet", "checksums.json", "grid.parquet", "manifest.json"]


def test_a_failed_build_takes_back_every_folder_that_it_made(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        break_off(tmp_path / "there" / "a" / "b", KeyboardInterrupt)
    assert names(tmp_path) == ["there"]
    assert names(tmp_path / "there") == []


def test_a_failed_build_leaves_a_folder_that_was_there_and_its_checkpoints(tmp_path):
    (tmp_path / "g" / "checkpoints").mkdir(parents=True)
    (tmp_path / "g" / "checkpoints" / "1.arrow").write_bytes(b"x")
    (tmp_path / "g" / "checkpoints" / ".2.arrow.part").write_bytes(b"x")
    with pytest.raises(RuntimeError):
        break_off(tmp_path / "g", RuntimeError)
    assert [p.name for p in (tmp_path / "g").rglob("*")] == ["checkpoints", "1.arrow"]


def test_a_dataset_is_never_changed(dataset):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in dataset.iterdir()}
    assert "bins.parquet" in assert_refused("GRID_EXISTS", publish, dataset).message
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in dataset.iterdir()}
    assert after == before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "bins.parquet").write_bytes(b"mine")
    assert_refused("GRID_EXISTS", publish, tmp_path / "g")
    assert (tmp_path / "g" / "bins.parquet").read_bytes() == b"mine"
    assert names(tmp_path / "g") == ["bins.parquet"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    assert (
        "not a folder" in assert_refused("FOLDER_NOT_WRITABLE", publish, tmp_path / "file").message
    )
    assert_refused("FOLDER_NOT_WRITABLE", publish, tmp_path / "file" / "below")
    assert_refused("FOLDER_NOT_WRITABLE", publish, tmp_path / ("long" * 100))
    assert names(tmp_path) == ["file"]


def test_a_disk_that_is_full_is_said_and_nothing_left(tmp_path):
    def write():
        with staged(tmp_path / "g") as staging:
            fill(staging)
            (staging / "more").write_bytes(b"x")
            (staging / "full").symlink_to("/dev/full")
            (staging / "full").write_bytes(b"x" * 10_000)

    assert "No space left" in assert_refused("FOLDER_NOT_WRITABLE", write).message
    assert names(tmp_path) == []


def test_two_builds_never_work_in_one_folder(tmp_path):
    with staged(tmp_path / "g") as staging:
        assert_refused("GRID_BUSY", publish, tmp_path / "g")
        fill(staging)
    read_manifest(tmp_path / "g")


@pytest.mark.parametrize("moved", range(4))
def test_a_build_vanishes_that_was_killed_while_its_files_moved_in(tmp_path, moved):
    left = tmp_path / "g" / ".staging-0123"
    left.mkdir(parents=True)
    fill(left, FILES | {"old.parquet": b"old"})
    for name in names(left)[:moved]:
        os.link(left / name, tmp_path / "g" / name)
    publish(tmp_path / "g")
    assert names(tmp_path / "g") == sorted([*FILES, "checksums.json", "manifest.json"])
    read_manifest(tmp_path / "g")


def test_a_build_killed_after_its_manifest_moved_in_is_a_dataset(dataset):
    left = dataset / ".staging-0123"
    left.mkdir()
    for path in [path for path in dataset.iterdir() if path.is_file()]:
        os.link(path, left / path.name)
    manifest = read_manifest(dataset)
    assert_refused("GRID_EXISTS", publish, dataset)
    assert not left.exists()
    assert read_manifest(dataset) == manifest


# -- damage -------------------------------------------------------------------------------------


def test_every_damaged_and_missing_file_is_named(dataset):
    (dataset / "bins.parquet").write_bytes(b"bims")
    (dataset / "grid.parquet").unlink()
    (dataset / "checksums.json").write_bytes(b"{}\n")
    assert damage(dataset) == ["bins.parquet", "grid.parquet", "checksums.json"]


@pytest.mark.parametrize("name", [*FILES, "checksums.json", "manifest.json"])
@pytest.mark.parametrize("where", [0, -1, None])
def test_one_changed_or_lost_byte_of_any_file_is_found(dataset, name, where):
    data = bytearray((dataset / name).read_bytes())
    if where is None:
        data.pop()
    else:
        data[where] ^= 1
    (dataset / name).write_bytes(bytes(data))
    assert damage(dataset) == [name]


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"digest": 1}', b'{"files": {}}'],
)
def test_a_manifest_that_is_none_is_damaged(dataset, text):
    (dataset / "manifest.json").write_bytes(text)
    assert damage(dataset) == ["manifest.json"]


def test_a_changed_value_of_the_manifest_is_found_though_it_is_written_alike(dataset):
    manifest = json.loads((dataset / "manifest.json").read_bytes())
    for changes in ({"bins": 4}, {"files": {}}, {"more": 1}):
        (dataset / "manifest.json").write_bytes(canonical_json(manifest | changes) + b"\n")
        assert damage(dataset) == ["manifest.json"]


def test_a_dataset_of_another_version_is_refused(dataset):
    manifest = json.loads((dataset / "manifest.json").read_bytes()) | {"format": "grid/9"}
    del manifest["digest"]
    manifest["digest"] = document_digest(manifest)
    (dataset / "manifest.json").write_bytes(canonical_json(manifest) + b"\n")
    assert_refused("GRID_UNKNOWN", read_manifest, dataset)


def test_a_place_without_a_manifest_is_no_dataset(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for place in (tmp_path, tmp_path / "nosuch", tmp_path / "file"):
        assert_refused("GRID_MISSING", read_manifest, place)
