"""Composite, its differences and the flow score of every slot that was ever touched.

``docs/order-book.md`` section 5. Sorted windows are kept only for slots near the best
prices (`BAND` beyond the window); one that comes back into the window has them made
again from its ring, with the same bits, because a score depends on the last values alone
and its differences on the last three scores.
"""

from __future__ import annotations

import math
from typing import Final

from engine.arrays import Floats
from engine.grid import layout as at
from engine.grid.layout import GridState
from engine.grid.ranks import enter, exchange, robust_z
from engine.jit import inlined, kernel
from engine.mathx import exp, tanh

BAND: Final = 64
BEHIND: Final = 3
_FLOOR = 1e-9


@inlined
def clipped(value: float) -> float:
    """The value in [−1, 1]; 0 if it is not a number."""
    if math.isnan(value):
        return 0.0
    return min(max(value, -1.0), 1.0)


@inlined
def difference(trace: Floats, first: int, value: float, dt_s: float, bins: int) -> None:
    """Write a value and its three differences over those of the bin before."""
    d1, d2, d3 = 0.0, 0.0, 0.0
    if bins > 0:
        d1 = (value - trace[first]) / dt_s
        d2 = (d1 - trace[first + 1]) / dt_s
        d3 = (d2 - trace[first + 2]) / dt_s
    trace[first] = value
    # Minus zero would make equal windows differ in their bits.
    trace[first + 1], trace[first + 2], trace[first + 3] = d1 + 0.0, d2 + 0.0, d3 + 0.0


@kernel
def roll_up(state: GridState, row: int, pressure: float, vacuum: float) -> None:
    """Composite, rolled composite and its differences of one slot in one bin."""
    frame, trace, ring = state.frame, state.traces[row], state.composites[row]
    bins, windows = frame[at.BINS], frame[at.WINDOWS]
    composite = (pressure - vacuum) / (abs(pressure) + abs(vacuum) + 1e-12)
    rolled = 0.0
    for i in range(windows):
        length = frame[at.FRAME_WIDTH + i]
        total = trace[at.WINDOW_SUM + i]
        if bins >= length:
            total -= ring[frame[at.FRAME_WIDTH + windows + i]]
        total += composite
        trace[at.WINDOW_SUM + i] = total
        rolled += state.params[at.PARAMS_WIDTH + i] * (total / min(bins + 1, length))
    ring[frame[at.COMPOSITE]] = composite
    difference(trace, at.ROLLED, rolled, state.params[at.CELL_S], bins)
    for channel in range(3):
        state.rings[row, channel, frame[at.PLACE]] = trace[at.D1 + channel]


@inlined
def blend(z1: float, z2: float, z3: float, w1: float, w2: float, w3: float, scale: float) -> float:
    """Weighted tanh of three z, in [−1, 1]."""
    total = w1 * tanh(z1 / scale) + w2 * tanh(z2 / scale) + w3 * tanh(z3 / scale)
    return clipped(total / (abs(w1) + abs(w2) + abs(w3)))


@kernel
def score_at(state: GridState, row: int, bins: int, place: int) -> None:
    """Score and its differences at a bin whose sorted windows stand ready."""
    frame, params = state.frame, state.params
    filled = min(bins + 1, frame[at.Z_WINDOW])
    ring, ranks, least = state.rings[row], state.ranks[row], frame[at.Z_MIN]
    score = blend(
        robust_z(ranks[0], filled, ring[0, place], least, _FLOOR),
        robust_z(ranks[1], filled, ring[1, place], least, _FLOOR),
        robust_z(ranks[2], filled, ring[2, place], least, _FLOOR),
        params[at.W1],
        params[at.W2],
        params[at.W3],
        params[at.TANH],
    )
    difference(state.traces[row], at.SCORE, score, params[at.CELL_S], bins)


@kernel
def slide(state: GridState, row: int, bins: int, place: int, leaving: int) -> None:
    """Take the values of a bin, at its place in the ring, into the sorted windows; score it."""
    for channel in range(3):
        ring, ranks = state.rings[row, channel], state.ranks[row, channel]
        if bins < ranks.shape[0]:
            enter(ranks, bins, ring[place])
        else:
            exchange(ranks, ring[leaving], ring[place])
    score_at(state, row, bins, place)


@kernel
def warm_up(state: GridState, row: int) -> None:
    """Sorted windows and scores of the bins before this one, from the ring."""
    bins, window, size = state.frame[at.BINS], state.frame[at.Z_WINDOW], state.rings.shape[2]
    state.rows[row, at.WARM] = 1
    if bins == 0:
        return
    first = max(bins - BEHIND, 0)
    start = max(first - window + 1, 0)
    for channel in range(3):
        for bin_ in range(start, first + 1):
            enter(state.ranks[row, channel], bin_ - start, state.rings[row, channel, bin_ % size])
    score_at(state, row, first, first % size)
    for bin_ in range(first + 1, bins):
        slide(state, row, bin_, bin_ % size, (bin_ - window) % size)


@inlined
def find_places(state: GridState) -> None:
    """Where this bin, and those that leave, stand in the rings: the same for every slot."""
    frame = state.frame
    bins, windows = frame[at.BINS], frame[at.WINDOWS]
    size, longest = state.rings.shape[2], state.composites.shape[1]
    frame[at.PLACE] = bins % size
    frame[at.LEAVING] = (bins - frame[at.Z_WINDOW]) % size
    frame[at.COMPOSITE] = bins % longest
    for i in range(windows):
        length = frame[at.FRAME_WIDTH + i]
        frame[at.FRAME_WIDTH + windows + i] = (bins - length) % longest


@kernel
def update_spectrum(state: GridState, centre: int) -> None:
    """All touched slots at the close of a bin; −1 for the centre means that there is none."""
    frame = state.frame
    find_places(state)
    for row in range(frame[at.ACTIVE]):
        slot = state.rows[row, at.ROW_SLOT]
        cell = state.cells[slot]
        roll_up(state, row, cell[at.PRESSURE], cell[at.VACUUM])
        away = abs(slot - centre) if centre >= 0 else frame[at.RADIUS] + 1
        if away <= frame[at.RADIUS] and state.rows[row, at.WARM] == 0:
            warm_up(state, row)
        if centre >= 0 and away > frame[at.RADIUS] + BAND:
            state.rows[row, at.WARM] = 0
        if state.rows[row, at.WARM] == 1:
            slide(state, row, frame[at.BINS], frame[at.PLACE], frame[at.LEAVING])


@inlined
def projected(trace: Floats, params: Floats, horizon_s: float, cubic: bool) -> float:
    """The score a horizon ahead, by its differences."""
    value = trace[at.SCORE] + trace[at.S1] * horizon_s + 0.5 * trace[at.S2] * horizon_s * horizon_s
    if cubic:
        value += params[at.CUBIC_SCALE] * trace[at.S3] * horizon_s * horizon_s * horizon_s
    if params[at.DAMPING] > 0.0:
        value *= exp(-params[at.DAMPING] * horizon_s)
    return clipped(value)
