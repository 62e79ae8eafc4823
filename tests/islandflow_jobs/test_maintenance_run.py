"""`islandflow gc`, `backup` and `restore` as an operator types them, embedded."""

import os
import time

from tests.islandflow_jobs.commands import refused


def _left(graph, key, days):
    """An object of a killed run, as old as given."""
    store = graph.resources.store
    store.put_if_absent(key, b"half")
    then_s = time.time() - days * 86_400
    os.utime(store.root / key, (then_s, then_s))
    return store.uri(key)


def test_a_sweep_only_lists_until_it_is_told_to_delete(finished, islandflow):
    old = _left(finished, "checkpoints/aa.arrow", 9)
    _left(finished, "checkpoints/bb.arrow", 2)
    _left(finished, "theirs.csv", 400)
    before = finished.objects()
    code, out, _ = islandflow("gc")
    assert code == 0
    assert out[0] == f"unreferenced {old}  4 bytes, 9 days old"
    assert "unknown" in out[1]
    assert out[1].endswith("theirs.csv: 1 object of somebody else, never touched")
    assert out[2].startswith("1 object unreferenced, 4 bytes; 1 more younger than 7 days; 0 ")
    assert out[-1] == "nothing was deleted; delete with: islandflow gc --delete"
    assert finished.objects() == before
    code, out, _ = islandflow("gc", "--delete")
    assert (code, out[0]) == (0, f"deleted {old}")
    assert before.keys() - finished.objects().keys() == {"checkpoints/aa.arrow"}
    assert islandflow("gc", "--delete", "--older-than", 1)[1][-1].startswith("deleted 1 object")
    assert islandflow("gc")[1][-1] == "there is nothing to delete"


def test_no_sweep_comes_nearer_than_a_day(finished, islandflow):
    code, out, err = islandflow("gc", "--delete", "--older-than", 0.5)
    assert (code, out) == (2, [])
    assert "--older-than" in "\n".join(err)


def test_a_registry_moves_to_a_fresh_home_and_verifies_there(
    finished, islandflow, tmp_path, monkeypatch
):
    file = tmp_path / "registry.tar.gz"
    code, out, _ = islandflow("backup", file)
    assert (code, out[-1]) == (0, f"wrote {file}")
    refused(islandflow("backup", file), "FILE_EXISTS")
    refused(islandflow("restore", file), "RESTORE_NOT_EMPTY")
    objects = finished.resources.store.root
    home = tmp_path / "home"
    home.mkdir()
    os.symlink(objects, home / "objects")
    monkeypatch.setenv("ISLANDFLOW_HOME", str(home))
    assert islandflow("restore", file)[0] == 0
    assert "0 missing" in "\n".join(islandflow("gc")[1])
    file.write_bytes(file.read_bytes()[:-40])
    monkeypatch.setenv("ISLANDFLOW_HOME", str(tmp_path / "other"))
    code, out, err = islandflow("restore", file)
    assert (code, out) == (1, [])
    assert "BACKUP_DAMAGED" in err[0]


def test_a_home_of_a_newer_islandflow_is_refused_with_what_to_do(finished, islandflow):
    from sqlalchemy import text

    database = finished.resources.database
    database.write(
        "pretend", lambda login: login.execute(text("UPDATE alembic_version SET version_num='9'"))
    )
    database.dispose()
    code, out, err = islandflow("gc")
    assert (code, out) == (1, [])
    assert "DATABASE_NEWER" in err[0]
    assert "install the newer islandflow" in err[0]
