"""The catalogue as an asset: a fresh file of everything stored, and what the UI says of it."""

import duckdb

from tests.graph import QUIET, Run


def test_a_run_leaves_a_catalogue_that_plain_duckdb_reads_and_says_what_is_in_it(finished):
    from islandflow_jobs.definitions import defs

    job = defs.resolve_job_def("catalogue")
    run = Run(job.execute_in_process(instance=finished.instance, run_config=QUIET),
              finished.instance)  # fmt: skip
    path = finished.resources.settings.home / "catalogue.duckdb"
    with duckdb.connect(path, read_only=True) as catalogue:
        bars = catalogue.execute("SELECT count(*) FROM bars WHERE seed = 1").fetchone()
        of_results = catalogue.execute("SELECT count(*) FROM results").fetchone()
    assert bars == (400,)
    assert of_results == (4,)

    metadata = run.materialised("duckdb_catalogue")["None"].metadata
    views = {record.data["view"]: record.data for record in metadata["views"].records}
    assert views["bars"] == {
        "view": "bars",
        "rows": 800,
        "files": 4,
        "path": "scenarios/*/*/seed=*/v*/dataset.parquet",
    }
    assert views["labels.session_states"]["rows"] == 0
    columns = {one.name: one for one in metadata["dagster/column_schema"].schema.columns}
    assert columns["bars.seed"].type == "BIGINT"
    assert columns["option_prints.price_ticks"].description == "premium per share"
    assert metadata["path"].path == str(path)
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".catalogue")] == []
