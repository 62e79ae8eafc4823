"""Small grid datasets for tests: a tape of seconds, a narrow window, builds in folders."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.csv as pacsv

from contracts.grid import GridConfig
from islandflow_resources.grid_build import GridOrder, build_grid
from islandflow_resources.mbo_writers import write_events
from tests.engine.grid.runs import config
from tests.oracles.order_streams import BIN_NS, well_formed

EVENTS = 1_200
STREAM = well_formed(7, EVENTS, mean_ns=8e6)
CONFIG: GridConfig = config()
MIDDLE_NS = int(STREAM.ts_ns[EVENTS // 2]) // BIN_NS * BIN_NS
TABLES = ("bins.parquet", "grid.parquet")
FINALS = ("engine_final.parquet", "orders_final.parquet")
TEXTS = ("checksums.json", "manifest.json")


def write_tape(folder, form="parquet", stream=STREAM):
    """A file of events in one of the forms that are read."""
    path = folder / f"tape.{form}"
    if form != "csv":
        write_events(path, [stream], symbol="MNQH6", product_type="future_mbo")
        return path
    columns = dict(zip(stream._fields, stream, strict=True))
    letters = {name: pa.array(map(chr, columns[name].tolist())) for name in ("action", "side")}
    pacsv.write_csv(pa.table({**columns, **letters}), path)
    return path


def order(events, **changes):
    """What is to be built of these events, in the full form."""
    return replace(GridOrder(events, CONFIG, full=True), **changes)


def build(events, folder, **changes):
    """Build into a folder; its files."""
    build_grid(order(events, **changes), folder)
    return files_of(folder)


def files_of(folder):
    """The bytes of a dataset's files by name, and nothing else is there but checkpoints."""
    paths = [path for path in folder.iterdir() if path.name != "checkpoints"]
    return {path.name: path.read_bytes() for path in sorted(paths)}


def checkpoints_of(folder):
    """The checkpoints that a build has left, the earliest first."""
    return sorted((folder / "checkpoints").glob("*.arrow"))
