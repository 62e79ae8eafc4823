"""The state after the last event as two tables: every slot, and every live order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.canonical import Document
from engine.grid.api import GridMachine


def write_finals(machine: GridMachine, folder: Path) -> Document:
    """Write ``engine_final.parquet`` and ``orders_final.parquet``; rows of each by name."""
    orders = dict(machine.orders())
    sides = [chr(code) for code in orders["side"].tolist()]
    tables = {
        "engine_final.parquet": pa.table(machine.cells()),
        "orders_final.parquet": pa.table(orders | {"side": pa.array(sides, pa.string())}),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / name, compression="ZSTD", compression_level=1)
    return {name: {"rows": table.num_rows} for name, table in tables.items()}
