"""The flow of orders: which group of events comes next, when, and where.

One iteration proposes one group from four competing rates (withdrawals, the chase of the
path, quotes into a wide spread, the self-exciting flow), takes eight uniforms whatever
it does, and may leave the book as it is. ``docs/mbo-tape.md`` says what each decides;
the actions themselves are ``kernels_actions``, the arrays ``layout``.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Floats, Ints
from engine.jit import kernel
from engine.mathx import exp, log
from engine.rng import fill_uniforms
from engine.tapes.kernels_actions import add, modify, trade, withdraw
from engine.tapes.kernels_queue import emit
from engine.tapes.layout import (
    BEST,
    BLOCKS,
    COUNT,
    DEAD_TICKS,
    DEEP,
    DEPTH,
    EPOCH_LEFT_S,
    EPOCH_S,
    FREE,
    GROUP_ROWS,
    HEAD,
    ID,
    ITERATION,
    ITERATIONS,
    JOIN,
    LIFETIMES_S,
    LOTS,
    MAX_STEP_S,
    MAX_SWEPT,
    NEAR,
    NEXT,
    NOW_NS,
    ORDERS,
    OVERFULL,
    PACE,
    PACE_RANGE,
    PATIENCE_SHARES,
    PATIENCES,
    PATIENT,
    QUICK,
    QUICK_PER_S,
    QUICK_SHARE,
    ROW,
    ROW_FLAGS,
    ROWS,
    SEQUENCE,
    SIDE,
    SIDE_ASK,
    SIDE_BID,
    SLOW,
    SLOW_PER_S,
    STEER_S,
    TABLE,
    TAIL,
    TICK,
    WINDOW_TICKS,
    WORST,
)

_MASK = WINDOW_TICKS - 1
_RATES = np.array([1.0 / life_s for life_s in LIFETIMES_S])
_SHARES = np.cumsum(np.array(PATIENCE_SHARES), axis=1)
_SECOND = 1e9
_LOG_RANGE = 2.995732273553991
# Mean of 1/pace for a pace log-uniform in 1/20 … 20: the flow is sped up by it.
_MEAN_WAIT = (PACE_RANGE - 1.0 / PACE_RANGE) / (2.0 * _LOG_RANGE)

# Entries of the parameters.
BASE_PER_S = 0
BRANCHING = 1
CHASE_PER_S = 2
QUOTE_PER_S = 3
ADD_SHARE = 4
MODIFY_SHARE = 5
JOIN_SHARE = 6
NEAR_SHARE = 7
FIRST_LEVEL = 8
EVENTS_PER_S = 9
PARAMETERS = 10

# Entries of the integer parameters.
TICK_INT = 0
START_NS = 1
BAR_NS = 2
RISE_LEVELS = 3
INTEGERS = 4


@kernel
def fair_tick(now_ns: int, whole: Ints, opened: Floats, closed: Floats) -> float:
    """Value of the path in ticks: straight from the open to the close of each bar."""
    past = now_ns - whole[START_NS]
    if past <= 0:
        return float(opened[0])
    bar = min(past // whole[BAR_NS], opened.shape[0] - 1)
    part = (past - bar * whole[BAR_NS]) / whole[BAR_NS]
    return float(opened[bar] + (closed[bar] - opened[bar]) * part)


@kernel
def patience_of(zone: int, u: float) -> int:
    """Patience of an order that is added in a zone."""
    for patience in range(PATIENCES - 1):
        if u < _SHARES[zone, patience]:
            return patience
    return PATIENCES - 1


@kernel
def any_order(ints: Ints, members: Ints, first: int, u: float) -> int:
    """A random order of patience `first` or more; −1 if there is none."""
    count = 0
    for patience in range(first, PATIENCES):
        count += ints[PATIENT + patience]
    at = int(u * count)
    for patience in range(first, PATIENCES):
        if at < ints[PATIENT + patience]:
            return int(members[patience, at])
        at -= ints[PATIENT + patience]
    return -1


@kernel
def crowded(ints: Ints, levels: Ints, whole: Ints, params: Floats, side: int) -> bool:
    """Whether the best price holds more than its share of what deeper prices hold."""
    sign = 1 if side == SIDE_BID else -1
    best = ints[BEST + side]
    deeper = 0
    for k in range(4):
        deeper += levels[side, (best - sign * (whole[RISE_LEVELS] - 1 + k)) & _MASK, DEPTH]
    return bool(4.0 * levels[side, best & _MASK, DEPTH] > params[FIRST_LEVEL] * deeper)


@kernel
def arrive(
    ints: Ints,
    orders: Ints,
    levels: Ints,
    members: Ints,
    tables: Ints,
    params: Floats,
    whole: Ints,
    out: Ints,
    gap: float,
    u: Floats,
) -> bool:
    """Add an order of the flow: side, place, size and patience from four uniforms."""
    lean = min(max(0.05 * gap, -0.2), 0.2)
    side = SIDE_BID if u[3] < 0.5 + lean else SIDE_ASK
    sign = 1 if side == SIDE_BID else -1
    best = ints[BEST + side]
    lots = tables[0, int(u[5] * TABLE)]
    if u[4] < params[JOIN_SHARE]:
        zone = OVERFULL if crowded(ints, levels, whole, params, side) else JOIN
        tick = best
    elif u[4] < params[JOIN_SHARE] + params[NEAR_SHARE]:
        zone = NEAR
        part = (u[4] - params[JOIN_SHARE]) / params[NEAR_SHARE]
        tick = best - sign * (1 + tables[1, int(part * TABLE)])
    else:
        zone = DEEP
        part = (u[4] - params[JOIN_SHARE] - params[NEAR_SHARE]) / (
            1.0 - params[JOIN_SHARE] - params[NEAR_SHARE]
        )
        tick = best - sign * tables[2, min(int(part * TABLE), TABLE - 1)]
    patience = patience_of(zone, u[6])
    if ints[FREE] < 0:
        slot = any_order(ints, members, PATIENCES - 1, u[7])
        slot = slot if slot >= 0 else any_order(ints, members, 0, u[7])
        return withdraw(ints, orders, levels, members, out, whole[TICK_INT], slot, 2**62)
    return add(ints, orders, levels, members, out, whole[TICK_INT], side, tick, lots, patience)


@kernel
def revise(
    ints: Ints, orders: Ints, levels: Ints, members: Ints, tables: Ints, whole: Ints, out: Ints,
    u: Floats,
) -> bool:
    """Modify a random patient order: its price by a few ticks, or its size."""
    slot = any_order(ints, members, 2, u[3])
    if slot < 0:
        return False
    side, tick, lots = orders[slot, SIDE], orders[slot, TICK], orders[slot, LOTS]
    if u[4] < 0.5:
        fresh = tables[0, int(u[5] * TABLE)]
        lots = fresh if fresh != lots else lots + 1
        return modify(ints, orders, levels, out, whole[TICK_INT], slot, tick, lots)
    step = 1 + int(3.0 * u[5])
    tick = tick + step if u[6] < 0.5 else tick - step
    return modify(ints, orders, levels, out, whole[TICK_INT], slot, tick, lots)


@kernel
def chase(
    ints: Ints, orders: Ints, levels: Ints, members: Ints, tables: Ints, whole: Ints, out: Ints,
    gap: float, u: Floats,
) -> bool:
    """Act on the best price that stands in the way of the path."""
    side = SIDE_BID if gap > 0 else SIDE_ASK
    other = 1 - side
    sign = 1 if side == SIDE_BID else -1
    tick = ints[BEST + other]
    far = abs(gap) > 4.0
    if far or u[3] < 0.12:
        swept = min(int(0.5 * abs(gap)) + 1, MAX_SWEPT) if far else 1
        lots = 2**62 if far or u[4] < 0.5 else tables[0, int(u[5] * TABLE)]
        return trade(ints, orders, levels, members, out, whole[TICK_INT], side, lots, swept)
    slot = levels[other, tick & _MASK, TAIL]
    if u[3] < 0.6:
        return withdraw(ints, orders, levels, members, out, whole[TICK_INT], slot, 2**62)
    tick += sign * (1 + int(3.0 * u[4]))
    return modify(ints, orders, levels, out, whole[TICK_INT], slot, tick, orders[slot, LOTS])


@kernel
def quote(
    ints: Ints, orders: Ints, levels: Ints, members: Ints, tables: Ints, whole: Ints, out: Ints,
    gap: float, u: Floats,
) -> bool:
    """Add an order inside a spread of more than a tick, on the side the path asks for."""
    side = SIDE_BID if u[3] < 0.5 + gap else SIDE_ASK
    sign = 1 if side == SIDE_BID else -1
    inside = ints[BEST + 1] - ints[BEST] - 1
    tick = ints[BEST + side] + sign * (1 + int(u[4] * u[4] * inside))
    lots = tables[0, int(u[5] * TABLE)]
    patience = patience_of(JOIN, u[6])
    return add(ints, orders, levels, members, out, whole[TICK_INT], side, tick, lots, patience)


@kernel
def flow(
    ints: Ints, reals: Floats, orders: Ints, levels: Ints, members: Ints, tables: Ints,
    params: Floats, whole: Ints, out: Ints, gap: float, u: Floats,
) -> bool:
    """One group of the self-exciting flow: an add, a modify or a market order."""
    reals[QUICK] += params[BRANCHING] * QUICK_SHARE * QUICK_PER_S
    reals[SLOW] += params[BRANCHING] * (1.0 - QUICK_SHARE) * SLOW_PER_S
    if u[2] < params[ADD_SHARE]:
        return arrive(ints, orders, levels, members, tables, params, whole, out, gap, u)
    if u[2] < params[ADD_SHARE] + params[MODIFY_SHARE]:
        return revise(ints, orders, levels, members, tables, whole, out, u)
    lean = min(max(0.25 * gap, -0.45), 0.45)
    side = SIDE_BID if u[3] < 0.5 + lean else SIDE_ASK
    lots = tables[0, int(u[5] * TABLE)]
    return trade(ints, orders, levels, members, out, whole[TICK_INT], side, lots, 1)


@kernel
def happen(
    ints: Ints, reals: Floats, orders: Ints, levels: Ints, members: Ints, tables: Ints,
    params: Floats, whole: Ints, opened: Floats, closed: Floats, out: Ints, u: Floats,
) -> bool:
    """One iteration: time passes, and at most one group happens."""
    gap = fair_tick(ints[NOW_NS], whole, opened, closed) - 0.5 * (ints[BEST] + ints[BEST + 1])
    wide = min(ints[BEST + 1] - ints[BEST] - 1, 3)
    pace = reals[PACE]
    expiring = 0.0
    for patience in range(PATIENCES):
        expiring += _RATES[patience] * ints[PATIENT + patience]
    expiring *= pace
    chasing = params[CHASE_PER_S] * max(abs(gap) - DEAD_TICKS, 0.0)
    quoting = params[QUOTE_PER_S] * wide
    base = params[BASE_PER_S]
    past_s = (ints[NOW_NS] - whole[START_NS]) / _SECOND
    if past_s > 0:
        due = params[EVENTS_PER_S] * (past_s + STEER_S)
        steer = due / (ints[ROWS] + ints[ROW] + params[EVENTS_PER_S] * STEER_S)
        base *= min(max(steer * steer, 0.25), 4.0)
    total = expiring + chasing + quoting + pace * (base + reals[QUICK] + reals[SLOW])
    step_s = -log(u[0]) / total
    late = step_s > MAX_STEP_S
    step_s = min(step_s, MAX_STEP_S)
    ints[NOW_NS] += 1 + int(step_s * _SECOND)
    reals[QUICK] *= exp(-QUICK_PER_S * pace * step_s)
    reals[SLOW] *= exp(-SLOW_PER_S * pace * step_s)
    reals[EPOCH_LEFT_S] -= pace * step_s
    if reals[EPOCH_LEFT_S] <= 0.0:
        reals[EPOCH_LEFT_S] = -EPOCH_S * log(u[6])
        reals[PACE] = _MEAN_WAIT * exp(_LOG_RANGE * (2.0 * u[7] - 1.0))
        return False
    if late:
        return False
    x = u[1] * total
    if x < expiring:
        return expire(ints, orders, levels, members, whole, out, x / pace, u)
    x -= expiring
    if x < chasing:
        return chase(ints, orders, levels, members, tables, whole, out, gap, u)
    x -= chasing
    if x < quoting:
        return quote(ints, orders, levels, members, tables, whole, out, gap, u)
    x -= quoting
    if x >= pace * (base + reals[QUICK] + reals[SLOW]):
        return False
    return flow(ints, reals, orders, levels, members, tables, params, whole, out, gap, u)


@kernel
def expire(
    ints: Ints, orders: Ints, levels: Ints, members: Ints, whole: Ints, out: Ints,
    x: float, u: Floats,
) -> bool:
    """Withdraw the order whose time has come: a random one of its patience."""
    for patience in range(PATIENCES):
        rate = _RATES[patience] * ints[PATIENT + patience]
        if x < rate:
            place = min(int(x / _RATES[patience]), ints[PATIENT + patience] - 1)
            slot = members[patience, place]
            held = orders[slot, LOTS]
            lots = (held + 1) // 2 if u[3] < 0.02 else held
            return withdraw(ints, orders, levels, members, out, whole[TICK_INT], slot, lots)
        x -= rate
    return False


@kernel
def advance(
    ints: Ints, reals: Floats, orders: Ints, levels: Ints, members: Ints, tables: Ints,
    params: Floats, whole: Ints, opened: Floats, closed: Floats, key: np.uint64,
    stream: np.uint64, until_ns: int, out: Ints,
) -> None:
    """Write groups until the time is over or fewer than `GROUP_ROWS` rows are left."""
    first = np.empty(BLOCKS * ITERATIONS)
    second = np.empty(BLOCKS * ITERATIONS)
    u = np.empty(2 * BLOCKS)
    drawn = -1
    ints[ROW] = 0
    while ints[NOW_NS] < until_ns and ints[ROW] + GROUP_ROWS <= out.shape[0]:
        iteration = ints[ITERATION]
        page = iteration // ITERATIONS
        if page != drawn:
            fill_uniforms(key, stream, page * ITERATIONS * BLOCKS, first, second)
            drawn = page
        at = (iteration - page * ITERATIONS) * BLOCKS
        for k in range(BLOCKS):
            u[2 * k] = first[at + k]
            u[2 * k + 1] = second[at + k]
        ints[ITERATION] = iteration + 1
        before = ints[ROW]
        if happen(
            ints, reals, orders, levels, members, tables, params, whole, opened, closed, out, u
        ):
            ints[SEQUENCE] += 1
            out[ints[ROW] - 1, ROW_FLAGS] = 128
        else:
            ints[ROW] = before
    ints[ROWS] += ints[ROW]


@kernel
def snapshot(ints: Ints, orders: Ints, levels: Ints, tick_int: int, out: Ints) -> None:
    """Write the book: bids from the best down, then asks from the best up."""
    for side in range(2):
        sign = 1 if side == SIDE_BID else -1
        for k in range(sign * (ints[BEST + side] - ints[WORST + side]) + 1):
            tick = ints[BEST + side] - sign * k
            slot = levels[side, tick & _MASK, HEAD]
            for _ in range(levels[side, tick & _MASK, COUNT]):
                emit(ints, out, 65, side, orders[slot, ID], tick * tick_int, orders[slot, LOTS])
                slot = orders[slot, NEXT]
