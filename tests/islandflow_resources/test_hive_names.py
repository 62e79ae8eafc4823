"""Names of stored files that DuckDB, polars and pyarrow prune on: what is left out is not opened.

Each library reads real stored bars, of which the file of one seed was replaced by bytes that no
reader accepts; the same read without the filter is shown to fail on them.
"""

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pyarrow.lib
import pytest

from contracts.columns import TRADES
from islandflow_resources.catalog import open_catalogue
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tables import store_table
from tests.islandflow_resources.test_catalog import store_bars
from tests.islandflow_resources.test_tables import trades

SEEDS = (3, 5, 7)
GLOB = "scenarios/*/*/seed=*/v*/dataset.parquet"


@pytest.fixture
def root(tmp_path):
    """A store of two scenarios × three seeds, the last seed of each unreadable."""
    store = FolderStore(tmp_path)
    for scenario in ("calm", "torn"):
        for seed in SEEDS:
            store_bars(store, scenario, seed, 1_000 * seed, "0.01")
    for path in tmp_path.glob(f"scenarios/*/*/seed={SEEDS[-1]}/v1/dataset.parquet"):
        path.write_bytes(b"no reader accepts this")
    return tmp_path


def test_pyarrow_opens_the_files_of_the_asked_seed_only(root):
    bars = ds.dataset(root / "scenarios", format="parquet", partitioning="hive",
                      exclude_invalid_files=False)  # fmt: skip
    asked = ds.field("seed") == SEEDS[1]
    assert len(list(bars.get_fragments(filter=asked))) == 2
    assert bars.to_table(filter=asked)["close_ticks"].to_pylist() == [5000, 5001, 5002] * 2
    with pytest.raises(pyarrow.lib.ArrowInvalid):
        bars.to_table()


def test_polars_opens_the_files_of_the_asked_seed_only(root):
    bars = pl.scan_parquet(root / GLOB, hive_partitioning=True)
    asked = bars.filter(pl.col("seed") == SEEDS[1]).select("close_ticks")
    assert asked.collect()["close_ticks"].to_list() == [5000, 5001, 5002] * 2
    with pytest.raises(pl.exceptions.PolarsError):
        bars.select("close_ticks").collect()


def test_duckdb_opens_the_files_of_the_asked_seed_only(root):
    bars = f"read_parquet('{root / GLOB}', hive_partitioning = true)"
    with duckdb.connect() as connection:
        asked = connection.execute(
            f"SELECT sum(close_ticks) FROM {bars} WHERE seed = {SEEDS[1]}"
        ).fetchone()
        plan = connection.execute(
            f"EXPLAIN ANALYZE SELECT sum(close_ticks) FROM {bars} WHERE seed = {SEEDS[1]}"
        ).fetchall()
        with pytest.raises(duckdb.Error):
            connection.execute(f"SELECT sum(close_ticks) FROM {bars}").fetchone()
    assert asked == (2 * (5000 + 5001 + 5002),)
    assert "Scanning Files: 2/6" in plan[0][1]


def test_views_of_the_catalogue_open_the_files_that_a_filter_on_their_path_leaves(tmp_path):
    store = FolderStore(tmp_path)
    for letter in "ab":
        key = f"backtests/{letter * 64}/trades.parquet"
        store_table(store, key, trades(2), TRADES)
    with open_catalogue(store) as catalogue:
        (tmp_path / key).write_bytes(b"no reader accepts this")
        asked = f"SELECT count(price) FROM trades WHERE cache_key = '{'a' * 64}'"
        assert catalogue.execute(asked).fetchone() == (2,)
        with pytest.raises(duckdb.Error):
            catalogue.execute("SELECT sum(price) FROM trades").fetchone()
