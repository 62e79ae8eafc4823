"""The two forces: masses, chains, pressure and vacuum of one slot.

``docs/order-book.md`` section 3. When a slot is touched is said by ``engine.book``, when
it is advanced by ``engine.grid.kernels``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats
from engine.book.layout import ASK_DEPTH, BID_DEPTH, COMPAT, V2
from engine.grid import layout as at
from engine.grid.layout import GridState
from engine.jit import inlined, kernel
from engine.mathx import exp

_NS = 1e9


@inlined
def alpha(dt_s: float, tau_s: float) -> float:
    """Weight of the new value after dt seconds."""
    if dt_s <= 0.0:
        return 0.0
    r = dt_s / tau_s
    return 1.0 if r > 50.0 else 1.0 - exp(-r)


@inlined
def weigh(cell: Floats, params: Floats) -> None:
    """Sums of rest depth, then pressure and vacuum, from the chains."""
    cell[at.V_REST] = cell[at.V + 3] + cell[at.V + 4]
    cell[at.A_REST] = cell[at.A + 3] + cell[at.A + 4]
    cell[at.J_REST] = cell[at.J + 3] + cell[at.J + 4]
    rest = cell[at.V_REST]
    cell[at.PRESSURE] = (
        params[at.C1] * cell[at.V]
        + params[at.C2] * max(rest, 0.0)
        + params[at.C3] * max(cell[at.A], 0.0)
    )
    cell[at.VACUUM] = (
        params[at.C4] * cell[at.V + 1]
        + params[at.C5] * cell[at.V + 2]
        + params[at.C6] * max(-rest, 0.0)
        + params[at.C7] * max(cell[at.A + 1], 0.0)
    )


@kernel
def settle(cell: Floats, params: Floats, dt_s: float) -> None:
    """One step of the five chains with what has come since the base time.

    Where a step is not finite the chain keeps its values; velocity and acceleration that
    are not finite make the jerk so too, so the jerk alone is asked.
    """
    for c in range(3):
        cell[at.RATE + c] = cell[at.SUM + c] / dt_s
        cell[at.SUM + c] = 0.0
    cell[at.RATE + 3] = (cell[at.BID] - cell[at.BASE_BID]) / dt_s
    cell[at.RATE + 4] = (cell[at.ASK] - cell[at.BASE_ASK]) / dt_s
    cell[at.BASE_BID] = cell[at.BID]
    cell[at.BASE_ASK] = cell[at.ASK]
    alpha_v = alpha(dt_s, params[at.TAU_V])
    alpha_a = alpha(dt_s, params[at.TAU_A])
    alpha_j = alpha(dt_s, params[at.TAU_J])
    for c in range(at.CHAINS):
        v, a, j = cell[at.V + c], cell[at.A + c], cell[at.J + c]
        v_new = alpha_v * cell[at.RATE + c] + (1.0 - alpha_v) * v
        a_new = alpha_a * ((v_new - v) / dt_s) + (1.0 - alpha_a) * a
        j_new = alpha_j * ((a_new - a) / dt_s) + (1.0 - alpha_j) * j
        finite = j_new - j_new == 0.0
        cell[at.V + c] = v_new if finite else v
        cell[at.A + c] = a_new if finite else a
        cell[at.J + c] = j_new if finite else j
    weigh(cell, params)


@inlined
def load(cell: Floats, masses_kept: float, added: int, pulled: int, filled: int) -> None:
    """Let the masses decay to a part of them and add what came."""
    cell[at.MASS] = cell[at.MASS] * masses_kept + added
    cell[at.MASS + 1] = cell[at.MASS + 1] * masses_kept + pulled
    cell[at.MASS + 2] = cell[at.MASS + 2] * masses_kept + filled


@inlined
def take_depth(state: GridState, slot: int) -> None:
    """Let a cell show the book's depth at its slot."""
    cell, depth = state.cells[slot], state.market.depth
    cell[at.BID] = float(depth[slot, BID_DEPTH])
    cell[at.ASK] = float(depth[slot, ASK_DEPTH])
    cell[at.REST] = cell[at.BID] + cell[at.ASK]


@inlined
def _touch_v1(
    state: GridState, slot: int, added: int, pulled: int, filled: int, dt_s: float
) -> None:
    cell = state.cells[slot]
    cell[at.SUM], cell[at.SUM + 1], cell[at.SUM + 2] = float(added), float(pulled), float(filled)
    cell[at.BASE_BID], cell[at.BASE_ASK] = cell[at.BID], cell[at.ASK]
    take_depth(state, slot)
    if dt_s > 0.0:
        settle(cell, state.params, dt_s)
    else:
        weigh(cell, state.params)


@inlined
def _touch_v2(
    state: GridState, slot: int, added: int, pulled: int, filled: int, ts_ns: int
) -> None:
    cell, times = state.cells[slot], state.times[slot]
    last = times[at.LAST_TS]
    if last == 0 or (times[at.FRESH] and ts_ns == last):
        times[at.FRESH] = 1
        times[at.BASE_TS] = ts_ns
        take_depth(state, slot)
        cell[at.BASE_BID], cell[at.BASE_ASK] = cell[at.BID], cell[at.ASK]
        return
    times[at.FRESH] = 0
    if ts_ns > last > times[at.BASE_TS]:
        settle(cell, state.params, (last - times[at.BASE_TS]) / _NS)
        times[at.BASE_TS] = last
    cell[at.SUM] += added
    cell[at.SUM + 1] += pulled
    cell[at.SUM + 2] += filled
    take_depth(state, slot)


@inlined
def claim_row(state: GridState, slot: int) -> None:
    """A row of the spectrum for a slot that is touched for the first time."""
    if state.times[slot, at.ROW] >= 0:
        return
    row = state.frame[at.ACTIVE]
    state.frame[at.ACTIVE] = row + 1
    state.times[slot, at.ROW] = row
    state.rows[row, at.ROW_SLOT] = slot
    # No history is a history of zeros, whose ranks stand ready.
    state.rows[row, at.WARM] = 1


@inlined
def touch_cell(
    state: GridState, slot: int, added: int, pulled: int, filled: int, ts_ns: int, event: int
) -> None:
    """Section 3.2: one touch of one slot at a time by an event."""
    claim_row(state, slot)
    last = state.times[slot, at.LAST_TS]
    dt_s = (ts_ns - last) / _NS if 0 < last < ts_ns else 0.0
    kept = exp(-dt_s / state.params[at.TAU_REST]) if dt_s > 0.0 else 1.0
    load(state.cells[slot], kept, added, pulled, filled)
    if state.market.book[COMPAT] == V2:
        _touch_v2(state, slot, added, pulled, filled, ts_ns)
    else:
        _touch_v1(state, slot, added, pulled, filled, dt_s)
    state.times[slot, at.LAST_TS] = ts_ns
    state.times[slot, at.LAST_EVENT] = event


@inlined
def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


@inlined
def decay(
    cell: Floats, params: Floats, dt_s: float, alpha_v: float, alpha_a: float, alpha_j: float
) -> None:
    """The chains after dt seconds without any flow."""
    for c in range(at.CHAINS):
        v, a, j = cell[at.V + c], cell[at.A + c], cell[at.J + c]
        v_new = (1.0 - alpha_v) * v
        a_new = alpha_a * ((v_new - v) / dt_s) + (1.0 - alpha_a) * a
        j_new = alpha_j * ((a_new - a) / dt_s) + (1.0 - alpha_j) * j
        cell[at.V + c] = _finite(v_new)
        cell[at.A + c] = _finite(a_new)
        cell[at.J + c] = _finite(j_new)
    weigh(cell, params)


@inlined
def _waits(cell: Floats) -> bool:
    return (
        cell[at.SUM] != 0.0
        or cell[at.SUM + 1] != 0.0
        or cell[at.SUM + 2] != 0.0
        or cell[at.BID] != cell[at.BASE_BID]
        or cell[at.ASK] != cell[at.BASE_ASK]
    )


@inlined
def _rebase(cell: Floats) -> None:
    cell[at.SUM], cell[at.SUM + 1], cell[at.SUM + 2] = 0.0, 0.0, 0.0
    cell[at.BASE_BID], cell[at.BASE_ASK] = cell[at.BID], cell[at.ASK]


@kernel
def advance_cells(state: GridState, until_ns: int) -> None:
    """Section 3.3: every touched cell up to the end of a bin."""
    if until_ns <= 0:
        return
    params = state.params
    new_rules = state.market.book[COMPAT] == V2
    known_ns, kept_mass, alpha_v, alpha_a, alpha_j = -1, 1.0, 0.0, 0.0, 0.0
    for row in range(state.frame[at.ACTIVE]):
        slot = state.rows[row, at.ROW_SLOT]
        cell, times = state.cells[slot], state.times[slot]
        last, base = times[at.LAST_TS], times[at.BASE_TS]
        if last <= 0 or last >= until_ns:
            continue
        dt_ns = until_ns - last
        dt_s = dt_ns / _NS
        if dt_ns != known_ns:
            known_ns = dt_ns
            kept_mass = exp(-dt_s / params[at.TAU_REST])
            alpha_v = 1.0 - exp(-dt_s / params[at.TAU_V])
            alpha_a = 1.0 - exp(-dt_s / params[at.TAU_A])
            alpha_j = 1.0 - exp(-dt_s / params[at.TAU_J])
        load(cell, kept_mass, 0, 0, 0)
        waits = new_rules and last == base and _waits(cell)
        if new_rules and last > base:
            settle(cell, params, (last - base) / _NS)
        if waits:
            settle(cell, params, dt_s)
        else:
            decay(cell, params, dt_s, alpha_v, alpha_a, alpha_j)
        cell[at.PRESSURE] = _finite(cell[at.PRESSURE])
        cell[at.VACUUM] = _finite(cell[at.VACUUM])
        if new_rules:
            _rebase(cell)
            times[at.FRESH] = 0
            times[at.BASE_TS] = until_ns
        times[at.LAST_TS] = until_ns


@kernel
def sync(state: GridState) -> None:
    """Section 3.4: all cells show the book's depths, as if they always had."""
    for slot in range(state.cells.shape[0]):
        take_depth(state, slot)
        cell = state.cells[slot]
        cell[at.BASE_BID], cell[at.BASE_ASK] = cell[at.BID], cell[at.ASK]


@kernel
def restart(state: GridState) -> None:
    """Every cell as at the start: the lattice has moved."""
    for slot in range(state.cells.shape[0]):
        for column in range(at.CELL_WIDTH):
            state.cells[slot, column] = 0.0
        for column in range(at.TIMES_WIDTH):
            state.times[slot, column] = -1 if column == at.ROW else 0
    for row in range(state.frame[at.ACTIVE]):
        for column in range(state.traces.shape[1]):
            state.traces[row, column] = 0.0
        for column in range(state.composites.shape[1]):
            state.composites[row, column] = 0.0
        for channel in range(3):
            for column in range(state.rings.shape[2]):
                state.rings[row, channel, column] = 0.0
            for column in range(state.ranks.shape[2]):
                state.ranks[row, channel, column] = 0.0
    state.frame[at.ACTIVE] = 0
