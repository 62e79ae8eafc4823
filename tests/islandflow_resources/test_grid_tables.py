"""Closed bins as tables, and files whose bytes do not depend on how rows came.

That the values are right is in tests/engine/grid and, for whole files, in test_grid_build.py.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.columns import GRID_BINS, GRID_ROWS
from engine.grid.api import GridMachine
from islandflow_resources import grid_tables
from islandflow_resources.grid_tables import (
    GridFiles,
    TableFile,
    bins_table,
    read_groups,
    rows_schema,
    rows_table,
)
from islandflow_resources.table_digest import content_digest
from islandflow_resources.table_schemas import arrow_schema
from tests.islandflow_resources.grids import CONFIG, STREAM

RADIUS = CONFIG.runtime_config.grid_radius_ticks
ROWS = 2 * RADIUS + 1
PROJECTIONS = [f"proj_score_h{ms}" for ms in CONFIG.runtime_config.horizons_ms]


@pytest.fixture(scope="module")
def closed():
    """All bins of the stream but the last."""
    return list(GridMachine(CONFIG).push(STREAM))


def test_tables_have_the_columns_of_the_contract_in_their_order(closed):
    assert bins_table(closed[0]).schema.equals(arrow_schema(GRID_BINS))
    rows = rows_table(closed[0], rows_schema())
    assert rows.schema.equals(arrow_schema(GRID_ROWS))
    full = rows_table(closed[0], rows_schema(PROJECTIONS))
    assert full.column_names == [*GRID_ROWS.names, *PROJECTIONS]
    assert full.select(rows.column_names).equals(rows.replace_schema_metadata(full.schema.metadata))


def test_each_bin_has_a_row_for_each_tick_around_the_spot(closed):
    bins, rows = bins_table(closed[0]), rows_table(closed[0], rows_schema())
    assert rows.num_rows == ROWS * bins.num_rows
    shape = (bins.num_rows, ROWS)
    assert (rows["k"].to_numpy().reshape(shape) == np.arange(-RADIUS, RADIUS + 1)).all()
    for name in ("bin_seq", "microstate_id", "best_ask_move_ticks", "chase_up_flag"):
        told = rows[name].to_numpy().reshape(shape)
        np.testing.assert_array_equal(told, np.repeat(bins[name].to_numpy()[:, None], ROWS, 1))
    fields = rows["composite"].to_numpy().reshape(shape)
    np.testing.assert_array_equal(fields, closed[0].fields["composite"])
    assert fields.any()


@pytest.mark.parametrize("size", [1, 3, 40, 1000])
def test_bytes_and_groups_of_a_file_do_not_depend_on_how_the_rows_came(closed, tmp_path, size):
    table = pa.concat_tables([bins_table(bins) for bins in closed])
    digest = content_digest(table, GRID_BINS)
    files = []
    for name, step in (("a", size), ("b", table.num_rows)):
        file = TableFile(tmp_path / name, GRID_BINS, 7)
        for start in range(0, table.num_rows, step):
            file.append(table.slice(start, step))
        assert file.close() == (table.num_rows, digest)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    groups = list(read_groups(tmp_path / "a"))
    assert [group.num_rows for group in groups[:-1]] == [7] * (len(groups) - 1)
    assert 0 < groups[-1].num_rows <= 7
    assert pa.concat_tables(groups).equals(table)


def test_a_file_without_rows_is_a_table_without_rows(tmp_path):
    rows, digest = TableFile(tmp_path / "a", GRID_BINS, 7).close()
    empty = pq.read_table(tmp_path / "a")
    assert (rows, empty.num_rows, empty.column_names) == (0, 0, list(GRID_BINS.names))
    assert digest == content_digest(empty, GRID_BINS)


def test_groups_of_the_two_files_hold_the_same_bins(closed, tmp_path, monkeypatch):
    monkeypatch.setattr(grid_tables, "ROWS_PER_GROUP", 5 * ROWS + 1)
    files = GridFiles(tmp_path, RADIUS, PROJECTIONS)
    for bins in closed:
        files.append(bins_table(bins), rows_table(bins, files.schema))
    told = files.close()
    bins, rows = (pq.ParquetFile(tmp_path / name) for name in ("bins.parquet", "grid.parquet"))
    assert told["grid.parquet"]["rows"] == ROWS * told["bins.parquet"]["rows"]
    assert bins.num_row_groups == rows.num_row_groups > 2
    assert bins.metadata.row_group(0).num_rows == 5
    assert rows.metadata.row_group(0).num_rows == 5 * ROWS
    bins.close()
    rows.close()


def test_abandoned_files_are_closed(tmp_path):
    files = GridFiles(tmp_path, RADIUS)
    files.abandon()
    assert {path.name for path in tmp_path.iterdir()} == {"bins.parquet", "grid.parquet"}
