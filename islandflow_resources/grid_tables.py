"""Closed bins as Arrow tables, and their streaming into parquet files.

Row groups hold a fixed number of bins, so that the bytes of a file do not depend on how the
events were cut into batches, nor on where a build was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.columns import GRID_BINS, GRID_ROWS, Column, TableSchema
from engine.grid.api import Bins
from islandflow_resources.table_digest import TableHasher
from islandflow_resources.table_schemas import array_of, arrow_schema
from islandflow_resources.tables import stream_writer

ROWS_PER_GROUP = 65_536
MODEL_NAME = "derivative"
_LABELS = (
    "best_ask_move_ticks",
    "best_bid_move_ticks",
    "ask_reprice_sign",
    "bid_reprice_sign",
    "microstate_id",
    "chase_up_flag",
    "chase_down_flag",
)


def rows_schema(projections: Sequence[str] = ()) -> TableSchema:
    """Layout of the rows of a grid, the projections of the full form behind the others."""
    extra = tuple(Column(name, "float64", "score carried forward") for name in projections)
    return TableSchema(GRID_ROWS.name, GRID_ROWS.version, GRID_ROWS.columns + extra)


def bins_table(bins: Bins) -> pa.Table:
    """One row for each closed bin."""
    columns: dict[str, Any] = {**bins.ints, **bins.floats}
    columns["state_model_name"] = pa.array([MODEL_NAME] * bins.rows, pa.string())
    for name in ("book_valid", "state_model_ready"):
        columns[name] = pa.array(bins.ints[name] != 0, pa.bool_())
    arrays = [_array(columns[column.name]) for column in GRID_BINS.columns]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(GRID_BINS))


def rows_table(bins: Bins, schema: TableSchema) -> pa.Table:
    """One row for each slot of the window of each closed bin."""
    rows = bins.last_event_id.shape[1]
    radius = rows // 2
    columns: dict[str, Any] = {name: values.reshape(-1) for name, values in bins.fields.items()}
    columns["bin_seq"] = np.repeat(bins.ints["bin_seq"].astype(np.int32), rows)
    columns["k"] = np.tile(np.arange(-radius, radius + 1, dtype=np.int32), bins.rows)
    columns["flow_state_code"] = bins.flow_state_code.reshape(-1)
    columns["state5_code"] = bins.state5_code.reshape(-1)
    columns["last_event_id"] = bins.last_event_id.reshape(-1)
    target = arrow_schema(schema)
    for name in _LABELS:
        kind = target.field(name).type.to_pandas_dtype()
        columns[name] = np.repeat(bins.ints[name].astype(kind), rows)
    arrays = [_array(columns[column.name]) for column in schema.columns]
    return pa.Table.from_arrays(arrays, schema=target)


def _array(values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return array_of(np.ascontiguousarray(values))


class TableFile:
    """A parquet file that rows are appended to, in groups of a fixed number of rows.

    Parameters
    ----------
    path : Path
    schema : TableSchema
    group_rows : int
    """

    def __init__(self, path: Path, schema: TableSchema, group_rows: int) -> None:
        self.schema = schema
        self._group_rows = group_rows
        self._hasher = TableHasher(schema)
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._writer: pq.ParquetWriter = stream_writer(path, schema)

    def append(self, table: pa.Table) -> None:
        """Append rows of the file's layout."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        while self._waiting_rows >= self._group_rows:
            self._write(self._group_rows)

    def close(self) -> tuple[int, str]:
        """Finish the file; its number of rows and content digest."""
        if self._waiting_rows:
            self._write(self._waiting_rows)
        self._writer.close()
        return self._hasher.rows, self._hasher.digest()

    def abandon(self) -> None:
        """Close the file unfinished."""
        self._writer.close()

    def _write(self, rows: int) -> None:
        whole = pa.concat_tables(self._waiting)
        # One chunk: the writer ends a page where a chunk ends.
        group = whole.slice(0, rows).combine_chunks()
        self._hasher.update(group)
        self._writer.write_table(group, row_group_size=rows)
        rest = whole.slice(rows)
        self._waiting = [rest] if rest.num_rows else []
        self._waiting_rows = rest.num_rows


class GridFiles:
    """The two tables of a grid in a folder.

    Parameters
    ----------
    folder : Path
    radius : int
        Rows of a bin: twice this and one.
    projections : sequence of str
        Names of the projections; none but in the full form.
    """

    def __init__(self, folder: Path, radius: int, projections: Sequence[str] = ()) -> None:
        rows = 2 * radius + 1
        bins = max(1, ROWS_PER_GROUP // rows)
        self.schema = rows_schema(projections)
        self._bins = TableFile(folder / "bins.parquet", GRID_BINS, bins)
        self._rows = TableFile(folder / "grid.parquet", self.schema, bins * rows)

    def append(self, bins: pa.Table, rows: pa.Table) -> None:
        """Append closed bins and their rows."""
        self._bins.append(bins)
        self._rows.append(rows)

    def close(self) -> dict[str, dict[str, Any]]:
        """Finish both; rows and content digest of each by name."""
        found: dict[str, dict[str, Any]] = {}
        for name, file in (("bins.parquet", self._bins), ("grid.parquet", self._rows)):
            rows, digest = file.close()
            found[name] = {"rows": rows, "content_digest": digest}
        return found

    def abandon(self) -> None:
        """Close both unfinished."""
        self._bins.abandon()
        self._rows.abandon()


def read_groups(path: Path) -> Iterator[pa.Table]:
    """Row groups of a local parquet file, one at a time."""
    return read_columns(path, None)


def read_columns(path: Path, names: Sequence[str] | None) -> Iterator[pa.Table]:
    """Row groups of some columns; None for all."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        columns = None if names is None else list(names)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns, use_threads=False)
