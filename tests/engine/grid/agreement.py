"""Where the grid machine and the oracle of tests/oracles disagree on a stream.

The oracle takes exp and tanh from ``engine.mathx`` here: where bins are narrow, scores divide by
deviations that are rounding themselves, and only the same roundings give the same scores. That the
two functions are right is in test_mathx.py, and the golden stream is compared without this.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

from contracts.grid import Compat, GridConfig
from engine import mathx
from engine.book.events import Events
from engine.grid.api import GridMachine
from tests.engine.grid.runs import Columns, ended, final, joined, pushed
from tests.oracles import grid as oracle
from tests.oracles import order_cells, order_flow

_TIED = "state_model_dominant_state5_code"
_UNNAMED = {"bin_seq", "k"}


@contextmanager
def _same_functions() -> Iterator[None]:
    names = {name: getattr(math, name) for name in dir(math) if not name.startswith("_")}
    functions = SimpleNamespace(**names | {"exp": mathx.exp, "tanh": mathx.tanh})
    with patch.object(order_cells, "math", functions), patch.object(order_flow, "math", functions):
        yield


def expected(
    config: GridConfig, events: Events, compat: Compat, emit_from_ns: int | None = None
) -> tuple[Columns, oracle.Grid]:
    """Columns of all bins as the oracle has them, and the oracle as it stands at the end."""
    projection = config.projection.model_dump()
    runtime = config.runtime_config.model_dump()
    grid = oracle.Grid(runtime, compat, projection, emit_from_ns)
    with _same_functions():
        bins = list(grid.run(events))
    if not bins:
        return {}, grid
    columns = {name: np.array([row[name] for row, _ in bins]) for name in bins[0][0]}
    for name in bins[0][1][0]:
        if name not in columns and name not in _UNNAMED:
            columns[name] = np.array([[row[name] for row in rows] for _, rows in bins])
    return columns, grid


def disagreements(
    config: GridConfig,
    events: Events,
    compat: Compat = "v2",
    emit_from_ns: int | None = None,
    cuts: tuple[int, ...] = (),
) -> list[str]:
    """What of bins, rows, cells, orders and anomalies is not as the oracle has it."""
    machine = GridMachine(config, compat, emit_from_ns)
    found = joined([*pushed(machine, events, cuts), *ended(machine)])
    wanted, grid = expected(config, events, compat, emit_from_ns)
    wanted.pop("state_model_name", None)
    said = [] if found.keys() == wanted.keys() else [f"columns {found.keys() ^ wanted.keys()}"]
    for name in found.keys() & wanted.keys() - {_TIED}:
        said += _apart(name, found[name], wanted[name])
    said += _wrongly_dominant(found, config)
    return sorted(said + _final_differences(machine, grid))


def _apart(name: str, found: np.ndarray, wanted: np.ndarray) -> list[str]:
    if found.shape != wanted.shape:
        return [f"{name}: shape {found.shape} for {wanted.shape}"]
    if wanted.dtype.kind != "f":
        rows = np.flatnonzero((found != wanted).ravel())
        return [f"{name}: {rows.size} differ, first {rows[0]}"] if rows.size else []
    off, peak = float(np.abs(found - wanted).max(initial=0)), float(np.abs(wanted).max(initial=0))
    near = off <= _tolerance(name) * (1.0 if _is_score(name) else peak)
    return [] if near else [f"{name}: off by {off:.3g}, peak {peak:.3g}"]


def _is_score(name: str) -> bool:
    return "score" in name


def _tolerance(name: str) -> float:
    if _is_score(name):
        return 1e-6
    return 1e-11 if name.startswith("composite") else 1e-12


def _wrongly_dominant(found: Columns, config: GridConfig) -> list[str]:
    """Bins whose dominant code has less than the largest intensity; a tie may go either way."""
    if not found:
        return []
    weights = order_flow.StateModel(config.runtime_config.model_dump()).weights
    each = np.array(list(weights.values()))
    codes = np.array(order_flow.CODES)
    labels = found["state5_code"][:, None, :] == codes[:, None]
    intensities = (labels * each).sum(axis=2)
    own = intensities[np.arange(intensities.shape[0]), found[_TIED] + 2]
    rows = np.flatnonzero(own < intensities.max(axis=1) - 1e-12)
    return [f"{_TIED}: rows {rows}"] if rows.size else []


def _final_differences(machine: GridMachine, grid: oracle.Grid) -> list[str]:
    found = final(machine)
    cells, orders = grid.final_cells(), sorted(grid.final_orders(), key=_id)
    wanted: dict[str, Any] = {
        f"cells.{name}": np.array([row[name] for row in cells]) for name in cells[0]
    }
    sides = [ord(row["side"]) for row in orders]
    for name in ("order_id", "side", "price_int", "qty", "idx"):
        rows = sides if name == "side" else [row[name] for row in orders]
        wanted[f"orders.{name}"] = np.array(rows, np.int64)
    for name in machine.anomalies:
        wanted[f"anomalies.{name}"] = np.array(grid.book.anomalies[name], np.int64)
    wanted["anomalies.unconfirmed_fills"] = np.array(grid.book.unconfirmed_fills)
    wanted["event_count"] = np.array(grid.book.event_count)
    said = [] if found.keys() == wanted.keys() else [f"final {found.keys() ^ wanted.keys()}"]
    for name in found.keys() & wanted.keys():
        said += _apart(name, found[name], wanted[name])
    return said


def _id(order: dict[str, Any]) -> int:
    return order["order_id"]
