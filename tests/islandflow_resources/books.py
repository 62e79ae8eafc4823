"""Small tapes, configurations and grids for tests: a minute of events, bins of 100 ms."""

import json
from pathlib import Path

import numpy as np

import contracts
from contracts.grid import grid_config_from
from contracts.mbo import mbo_spec_from
from engine.book.events import Events
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.grid_build import GridOrder
from islandflow_resources.grid_datasets import make_grid
from islandflow_resources.mbo_tapes import make_tape, tape_ref
from tests.graph import KERNELS

FIXTURES = Path(contracts.__file__).parent / "fixtures"
QUIET_TAPE = json.loads((FIXTURES / "mbo_specs/mbo_quiet.json").read_bytes())
SECOND_NS = 1_000_000_000
GOOD_SEED, BAD_SEED = 1, 2
"""Of `tape()`: seed 1 keeps every band, of seed 2 no order is old enough."""
RUNTIME = EngineRuntime(1, 256, KERNELS)
RUN = "a-run"


def tape(**changes):
    """A tape of one minute at 200 events a second."""
    small = {"id": "minute", "bars": 2, "bar_ns": 30 * SECOND_NS, "events_per_second": 200}
    return mbo_spec_from({**QUIET_TAPE, **small, **changes})


def short_tape(**changes):
    """A tape of four seconds, too short to be realistic."""
    return tape(**{"id": "short", "bar_ns": 2 * SECOND_NS, "events_per_second": 100, **changes})


def grid_document(**changes):
    """The smallest configuration on few slots with short windows."""
    document = json.loads((FIXTURES / "grid_configs/grid_shipped.json").read_bytes())
    small = {
        "n_absolute_ticks": 256,
        "grid_radius_ticks": 4,
        "flow_windows": [2, 5],
        "flow_rollup_weights": [1.0, 1.0],
        "flow_zscore_window_bins": 20,
        "flow_zscore_min_periods": 5,
        "state_model_zscore_window_bins": 20,
        "state_model_zscore_min_periods": 5,
    }
    document["runtime_config"] = {**document["runtime_config"], **small, **changes}
    return document


def order(compat="v2", emit_from_ns=None, **changes):
    """What is to be built, its events apart."""
    return GridOrder(Path(), grid_config_from(grid_document(**changes)), compat, emit_from_ns)


def embedded(folder):
    """A store and a database in a folder."""
    return FolderStore(folder / "objects"), Database(f"sqlite:///{folder / 'islandflow.db'}")


def stored_tape(store, database, workspace, spec=None, seed=GOOD_SEED):
    """A tape, made and stored."""
    ref = tape_ref(spec or short_tape(), seed)
    made = make_tape(store, database, RUNTIME, ref, workspace, RUN)
    assert made.problem is None, made.problem
    return made.tape


def stored_grid(store, database, workspace, source, wanted=None):
    """What became of a grid of a stored tape or source."""
    return make_grid(store, database, RUNTIME, wanted or order(), source, workspace, RUN)


def flip(path, place=0.5):
    """Change one bit of a file, at a fraction of its length."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x01
    path.write_bytes(bytes(data))


def joined(batches):
    """Batches of events as one."""
    return Events(*(np.concatenate(columns) for columns in zip(*batches, strict=True)))
