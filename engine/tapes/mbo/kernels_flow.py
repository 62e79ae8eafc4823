"""Which order a group of each kind concerns, and where: the choices of the model.

Every choice takes its uniforms at fixed places of the iteration's eight, ``u[2]`` to
``u[7]``, as ``docs/mbo-tape.md`` lists them. When a group comes is decided in
``kernels``, what it does to the book in ``kernels_actions``.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Floats
from engine.jit import inlined
from engine.tapes.mbo import layout as at
from engine.tapes.mbo.kernels_actions import ALL_LOTS, add, modify, trade, withdraw
from engine.tapes.mbo.kernels_queue import MASK
from engine.tapes.mbo.layout import TABLE, WINDOW_TICKS, TapeModel, TapeState

RATES = np.array([1.0 / life_s for life_s in at.LIFETIMES_S])
_SHARES = np.cumsum(np.array(at.PATIENCE_SHARES), axis=1)


@inlined
def patience_of(zone: int, u: float) -> int:
    """Patience of an order that is added in a zone."""
    patience = 0
    while patience < at.PATIENCES - 1 and u >= _SHARES[zone, patience]:
        patience += 1
    return patience


@inlined
def side_of(u: float, lean: float, most: float) -> int:
    """Bid with probability ½ + lean, which is at most `most` either way."""
    return at.SIDE_BID if u < 0.5 + min(max(lean, -most), most) else at.SIDE_ASK


@inlined
def any_order(tape: TapeState, first: int, u: float) -> int:
    """A random order of patience `first` or more; −1 if there is none."""
    count = 0
    for patience in range(first, at.PATIENCES):
        count += tape.ints[at.PATIENT + patience]
    place = int(u * count)
    for patience in range(first, at.PATIENCES):
        if place < tape.ints[at.PATIENT + patience]:
            return int(tape.members[patience, place])
        place -= tape.ints[at.PATIENT + patience]
    return -1


@inlined
def crowded(tape: TapeState, model: TapeModel, side: int) -> bool:
    """Whether the best price holds more than its share of what deeper prices hold."""
    sign = 1 if side == at.SIDE_BID else -1
    best = tape.ints[at.BEST + side]
    flat = best - sign * (model.ints[at.RISE_LEVELS] - 1)
    deeper = 0
    for k in range(4):
        deeper += tape.levels[side, (flat - sign * k) & MASK, at.DEPTH]
    held = tape.levels[side, best & MASK, at.DEPTH]
    return bool(4.0 * held > model.reals[at.FIRST_LEVEL] * deeper)


@inlined
def arrive(tape: TapeState, model: TapeModel, gap: float, u: Floats) -> bool:
    """Add an order of the flow; if there is no room, a patient order goes instead."""
    if tape.ints[at.FREE] < 0:
        slot = any_order(tape, at.PATIENCES - 1, u[7])
        slot = slot if slot >= 0 else any_order(tape, 0, u[7])
        return withdraw(tape, model, slot, ALL_LOTS)
    side = side_of(u[3], 0.05 * gap, 0.2)
    sign = 1 if side == at.SIDE_BID else -1
    joins = model.reals[at.JOIN_SHARE]
    near = model.reals[at.NEAR_SHARE]
    away, zone = 0, at.JOIN
    if u[4] < joins:
        zone = at.OVERFULL if crowded(tape, model, side) else at.JOIN
    elif u[4] < joins + near:
        zone = at.NEAR
        place = int((u[4] - joins) / near * TABLE)
        away = model.tables[at.NEAR_TICKS, min(place, TABLE - 1)]
    else:
        zone = at.DEEP if u[4] < 1.0 - at.FAR_SHARE else at.FAR
        place = int((u[4] - joins - near) / (1.0 - joins - near) * TABLE)
        away = model.tables[at.DEEP_TICKS, min(place, TABLE - 1)]
    lots = model.tables[at.SIZES, int(u[5] * TABLE)]
    tick = tape.ints[at.BEST + side] - sign * away
    return add(tape, model, side, tick, lots, patience_of(zone, u[6]))


@inlined
def revise(tape: TapeState, model: TapeModel, u: Floats) -> bool:
    """Modify a random order that is not in haste: its size, or its price by a few ticks."""
    slot = any_order(tape, 2, u[3])
    if slot < 0:
        return False
    tick, lots = tape.orders[slot, at.TICK], tape.orders[slot, at.LOTS]
    if u[4] < 0.5:
        fresh = model.tables[at.SIZES, int(u[5] * TABLE)]
        return modify(tape, model, slot, tick, fresh if fresh != lots else lots + 1)
    step = 1 + int(3.0 * u[5])
    return modify(tape, model, slot, tick + step if u[6] < 0.5 else tick - step, lots)


@inlined
def chase(tape: TapeState, model: TapeModel, gap: float, u: Floats) -> bool:
    """Act on the best price that stands in the way of the path."""
    side = at.SIDE_BID if gap > 0 else at.SIDE_ASK
    other = 1 - side
    tick = tape.ints[at.BEST + other]
    if abs(gap) > at.SWEEP_TICKS:
        swept = int(min(0.5 * abs(gap), at.MAX_SWEPT))
        limit = tick + swept if side == at.SIDE_BID else tick - swept
        return trade(tape, model, side, ALL_LOTS, limit)
    if u[3] < 0.12:
        lots = ALL_LOTS if u[4] < 0.5 else model.tables[at.SIZES, int(u[5] * TABLE)]
        return trade(tape, model, side, lots, tick)
    slot = tape.levels[other, tick & MASK, at.HEAD]
    if u[3] < 0.6:
        return withdraw(tape, model, slot, ALL_LOTS)
    step = 1 + int(3.0 * u[4])
    away = tick + step if side == at.SIDE_BID else tick - step
    return modify(tape, model, slot, away, tape.orders[slot, at.LOTS])


@inlined
def quote(tape: TapeState, model: TapeModel, gap: float, u: Floats) -> bool:
    """Add an order inside a spread of more than a tick, on the side the path asks for.

    It betters the best price by more than a tick only as far as the path.
    """
    side = side_of(u[3], gap, 0.5)
    sign = 1 if side == at.SIDE_BID else -1
    bid, ask = tape.ints[at.BEST], tape.ints[at.BEST + 1]
    to_path = 0.5 * (ask - bid) + sign * gap
    better = 1 + int(u[4] * u[4] * (ask - bid - 1))
    better = max(min(better, int(min(to_path, WINDOW_TICKS))), 1)
    tick = tape.ints[at.BEST + side] + sign * better
    lots = model.tables[at.SIZES, int(u[5] * TABLE)]
    return add(tape, model, side, tick, lots, patience_of(at.JOIN, u[6]))


@inlined
def flow(tape: TapeState, model: TapeModel, gap: float, u: Floats) -> bool:
    """One group of the self-exciting flow: an add, a modify or a market order."""
    branching = model.reals[at.BRANCHING]
    tape.reals[at.QUICK] += branching * at.QUICK_SHARE * at.QUICK_PER_S
    tape.reals[at.SLOW] += branching * (1.0 - at.QUICK_SHARE) * at.SLOW_PER_S
    if u[2] < model.reals[at.ADD_SHARE]:
        return arrive(tape, model, gap, u)
    if u[2] < model.reals[at.ADD_SHARE] + model.reals[at.MODIFY_SHARE]:
        return revise(tape, model, u)
    side = side_of(u[3], 0.25 * gap, 0.45)
    lots = model.tables[at.SIZES, int(u[5] * TABLE)]
    return trade(tape, model, side, lots, tape.ints[at.BEST + 1 - side])


@inlined
def expire(tape: TapeState, model: TapeModel, x: float, u: Floats) -> bool:
    """Withdraw the order at `x` of all rates laid end to end, now and then half of it."""
    for patience in range(at.PATIENCES):
        count = tape.ints[at.PATIENT + patience]
        if x < RATES[patience] * count:
            slot = tape.members[patience, min(int(x / RATES[patience]), count - 1)]
            half = (tape.orders[slot, at.LOTS] + 1) // 2
            return withdraw(tape, model, slot, half if u[3] < at.HALF_SHARE else ALL_LOTS)
        x -= RATES[patience] * count
    return False
