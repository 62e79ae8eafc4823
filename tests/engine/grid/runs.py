"""Grids of the machine for the tests: configurations, streams, all columns of a run in one piece.

Run as a module it prints a digest for each case, which is how the interpreted kernels are
compared with the compiled ones. Comparisons with the oracle are in agreement.py.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from contracts.grid import Compat, GridConfig, grid_config_from
from engine.book.events import Events
from engine.grid import kernels
from engine.grid.api import Bins, GridMachine
from tests.oracles.order_book import LAST, SNAPSHOT, Event
from tests.oracles.order_streams import (
    BIN_NS,
    MIDDLE_TICK,
    SETTINGS,
    SLOTS,
    START_NS,
    TICK_INT,
    adversarial,
    packed,
    well_formed,
)

INSTRUMENT = {
    "symbol": "MNQH6",
    "symbol_root": "MNQ",
    "price_scale": 1e-9,
    "rel_tick_size": 0.25,
    "contract_multiplier": 2.0,
    "qty_unit": "contracts",
    "price_decimals": 2,
}
PROJECTION = {
    "projection_use_cubic": True,
    "projection_cubic_scale": 0.2,
    "projection_damping_lambda": 0.3,
}
Columns = dict[str, np.ndarray]


def config(projection: Mapping[str, Any] = PROJECTION, **changes: Any) -> GridConfig:
    """The small configuration of the oracle's streams, some fields changed."""
    runtime = {**SETTINGS, **INSTRUMENT, **changes}
    return grid_config_from({"runtime_config": runtime, "projection": dict(projection)})


def wandering(seed: int, n: int, ticks: int = 200, bins: int = 200) -> Events:
    """Give ``n`` events of a market whose quotes wander far up and down and back.

    Every event restates one of sixteen orders at the price of the moment or a few ticks off it;
    that price swings by ``ticks`` to both sides within the run.
    """
    rng = np.random.default_rng(seed)
    start = Event(START_NS, "R", "N", 0, 0, 0, SNAPSHOT, 0)
    rows = [start, start._replace(action="N", flags=SNAPSHOT | LAST)]
    swing = ticks * np.sin(np.linspace(0, 2 * np.pi, n))
    for i in range(n):
        now = START_NS + i * bins * BIN_NS // n + int(rng.integers(1_000_000))
        side, away = (("B", -1), ("A", 1))[i % 2]
        tick = MIDDLE_TICK + int(swing[i]) + away * int(rng.integers(1, 5))
        lots = int(rng.integers(1, 9))
        rows.append(Event(now, "M", side, i % 16, tick * TICK_INT, lots, LAST, 0))
    return packed(sorted(rows, key=lambda row: row.ts_ns))


def joined(parts: Iterable[Bins]) -> Columns:
    """All arrays of some bins by name, one behind the other."""
    columns: dict[str, list[np.ndarray]] = {}
    for part in parts:
        arrays = {
            **part.ints,
            **part.floats,
            **part.fields,
            "flow_state_code": part.flow_state_code,
            "state5_code": part.state5_code,
            "last_event_id": part.last_event_id,
        }
        for name, array in arrays.items():
            columns.setdefault(name, []).append(array)
    return {name: np.concatenate(arrays) for name, arrays in columns.items()}


def pushed(machine: GridMachine, events: Events, cuts: Iterable[int] = ()) -> list[Bins]:
    """Push events in batches that end at the cuts."""
    edges = [0, *sorted(cuts), events.rows]
    return [
        bins for start, stop in pairwise(edges) for bins in machine.push(events.part(start, stop))
    ]


def ended(machine: GridMachine) -> list[Bins]:
    """The last bin, if there is one."""
    last = machine.finish()
    return [last] if last else []


def final(machine: GridMachine) -> Columns:
    """Cells, orders and anomalies of a machine as they are now."""
    cells = {f"cells.{name}": array.copy() for name, array in machine.cells().items()}
    orders = {f"orders.{name}": array.copy() for name, array in machine.orders().items()}
    counts = {f"anomalies.{name}": np.array(n) for name, n in machine.anomalies.items()}
    return cells | orders | counts | {"event_count": np.array(machine.event_count)}


def whole(
    wanted: GridConfig,
    events: Events,
    compat: Compat = "v2",
    emit_from_ns: int | None = None,
    cuts: Iterable[int] = (),
) -> Columns:
    """Everything that comes of a stream: bins, then cells, orders and anomalies."""
    machine = GridMachine(wanted, compat, emit_from_ns)
    bins = joined([*pushed(machine, events, cuts), *ended(machine)])
    return bins | final(machine)


def unequal(found: Columns, wanted: Columns) -> list[str]:
    """Names of what differs in a bit."""
    names = sorted(found.keys() | wanted.keys())
    return [
        name
        for name in names
        if name not in found or name not in wanted or not _same(found[name], wanted[name])
    ]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and one.tobytes() == other.tobytes()


def digest(columns: Columns) -> str:
    """Digest of names, types and bytes."""
    content = hashlib.blake2b(digest_size=20)
    for name in sorted(columns):
        content.update(f"{name} {columns[name].dtype} {columns[name].shape}".encode())
        content.update(columns[name].tobytes())
    return content.hexdigest()


SLOW = {"tau_velocity": 2.0, "tau_acceleration": 5.0, "tau_jerk": 0.01}
SMALL = {"n_absolute_ticks": 24, "grid_radius_ticks": 3}
CASES: dict[str, tuple[Compat, dict[str, Any], Events]] = {
    "well formed": ("v2", SLOW, well_formed(5, 220)),
    "adversarial": ("v2", {}, adversarial(9, 200)),
    "adversarial v1": ("v1", {}, adversarial(7, 200)),
    "leaves the band": ("v2", {**SLOW, "n_absolute_ticks": 300, "grid_radius_ticks": 2},
                        wandering(8, 60, ticks=90, bins=30)),
    "small lattice": ("v2", SMALL, adversarial(9, 150, spread=SLOTS)),
}  # fmt: skip


def digests() -> dict[str, str]:
    """Digest of every case."""
    return {
        name: digest(whole(config(**changes), events, compat))
        for name, (compat, changes, events) in CASES.items()
    }


if __name__ == "__main__":
    compiled = hasattr(kernels.run, "py_func")
    json.dump({"compiled": compiled, "digests": digests()}, sys.stdout)
