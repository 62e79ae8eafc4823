"""``islandflow catalog`` and ``report``: what they print and leave, and how bad input ends."""

import duckdb

from tests.islandflow_jobs.commands import refused


def test_a_catalogue_is_written_in_the_home_and_refreshed(islandflow, finished):
    path = finished.resources.settings.home / "catalogue.duckdb"
    for _ in range(2):
        code, out, err = islandflow("catalog")
        assert (code, err) == (0, [])
    assert out[:2] == [f"wrote {path}", "view\trows\tfiles"]
    assert "bars\t800\t4" in out
    assert "results\t4\t-" in out
    assert f"open it: duckdb -readonly {path}" in out
    [empty] = [line for line in out if line.startswith("without rows: ")]
    assert "labels.print_labels" in empty
    with duckdb.connect(path, read_only=True) as catalogue:
        assert catalogue.execute("SELECT count(*) FROM equity").fetchone() == (800,)


def test_a_catalogue_is_never_written_over_another_file_or_into_no_folder(
    islandflow, finished, tmp_path
):
    notes = tmp_path / "notes.txt"
    notes.write_text("mine", "utf-8")
    refused(islandflow("catalog", "--out", notes), "FILE_EXISTS")
    refused(islandflow("catalog", "--out", tmp_path / "no" / "c.duckdb"), "FILE_NOT_WRITABLE")
    assert notes.read_text("utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_sql_reads_the_same_views(islandflow, finished):
    code, out, _ = islandflow("sql", "SELECT name, files FROM catalogue WHERE files > 3")
    assert code == 0
    assert out[0] == "name\tfiles"
    assert "bars\t4" in out
    [line] = refused(islandflow("sql", "SELECT * FROM session_states"), "QUERY_INVALID")
    assert "labels.session_states" in line
    code, out, _ = islandflow("sql", "SELECT count(*) FROM artefacts WHERE seed = 1")
    assert (code, int(out[1]) > 0) == (0, True)
