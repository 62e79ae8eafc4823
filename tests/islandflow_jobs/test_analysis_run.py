"""``islandflow catalog`` and ``report``: what they print and leave, and how bad input ends."""

import dagster as dg
import duckdb
import pytest

from islandflow_assets import keys
from tests.campaign_graph import campaign_home, only_campaign, register
from tests.graph import graph_of
from tests.islandflow_jobs.commands import refused
from tests.market_graph import made_graph


def stored_report(graph, asset, partition):
    """Key of the report that the UI shows of a partition; the home is a copy of where it ran."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition])
    [record] = graph.instance.fetch_materializations(wanted, limit=1).records
    return record.asset_materialization.metadata["report"].value.partition("/objects/")[2]


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


def test_the_report_of_a_campaign_is_the_one_that_its_dossier_links_made_again_to_the_byte(
    islandflow, tmp_path
):
    with graph_of(campaign_home()) as graph:
        store, campaign = graph.resources.store, only_campaign(graph)
        key = stored_report(graph, keys.PROMOTION_DOSSIER, campaign)
        linked = store.get(key)
        (store.root / key).unlink()
        path = tmp_path / "campaign.html"
        code, out, err = islandflow("report", "campaign", "tiny", "--out", path)
        assert (code, err) == (0, [])
        assert out == [f"wrote {path}, {len(linked):,} bytes", f"from {store.uri(key)}"]
        assert path.read_bytes() == linked == store.get(key)
        assert f"<h1>Campaign {campaign}</h1>".encode() in linked
        assert linked.count(b"<figure ") == 6

        refused(islandflow("report", "campaign", "tiny", "--out", path), "FILE_EXISTS")
        code, _, err = islandflow("report", "campaign", "unknown", "--out", tmp_path / "u.html")
        assert (code, "CAMPAIGN_NOT_REGISTERED" in err[0]) == (1, True)
        register(graph, id="waiting")
        code, _, err = islandflow("report", "campaign", "waiting", "--out", tmp_path / "u.html")
        assert (code, "CAMPAIGN_INCOMPLETE" in err[0]) == (1, True)
        assert [one.name for one in tmp_path.iterdir()] == ["campaign.html"]


@pytest.mark.xdist_group("market")
def test_the_report_of_a_tape_is_the_one_that_its_asset_links_made_again_to_the_byte(
    islandflow, tmp_path
):
    with made_graph() as markets:
        [market] = markets.partitions()
        store, cell = markets.graph.resources.store, f"{market}|1"
        key = stored_report(markets.graph, keys.TAPE, cell)
        linked = store.get(key)
        (store.root / key).unlink()
        for number, name in enumerate((cell, key.split("/")[2])):
            path = tmp_path / f"{number}.html"
            code, out, err = islandflow("report", "tape", name, "--out", path)
            assert (code, err) == (0, [])
            assert out[1] == f"from {store.uri(key)}"
            assert path.read_bytes() == linked
        assert f"<h1>Tape {cell}</h1>".encode() in linked
        assert linked.count(b"<figure ") == 9
        code, _, [line] = islandflow("report", "tape", "unknown", "--out", tmp_path / "u.html")
        assert (code, "TAPE_NOT_FOUND" in line, cell in line) == (1, True, True)
